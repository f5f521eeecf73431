import type { CreateResource, ResourceView } from '@authserver/admin-api';
import { type Repositories, type Resource, type ResourcePolicy, uuidv7 } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { z } from 'zod';
import { toLinkView } from './fronting-view.ts';
import type { HandlersOf } from './handler.ts';
import { ChangedMeanwhile, conflict, invalid, notFound, orConflict } from './refusals.ts';
import { backendOf, policyFor, requireNoHistory } from './resource-backend.ts';
import { endLinks, endResource } from './resource-deletion.ts';
import { requireLinksKept } from './resource-links.ts';

const taken = (constraint: string) =>
  constraint.includes('uri') ? 'A resource with this URI exists already.' : 'A resource with this slug exists already.';

export const resourceHandlers = ({ metrics }: { metrics: Metrics }): HandlersOf<'resource'> => ({
  async list({ query, store, page, etag }) {
    const { slug, backend_kind, broker_provider_id, archived, limit = 100, offset = 0, cursor } = query;
    if (slug !== undefined) {
      const found = await store.resources.findBySlug(slug);
      if (!found) throw notFound('resource');
      etag(found.version);
      return toView(found);
    }
    const filter = {
      ...(backend_kind ? { backendKind: backend_kind } : {}),
      ...(broker_provider_id === undefined ? {} : { brokerProviderId: broker_provider_id }),
      archived: archived === 'true',
    };
    const found = await store.resources.list(filter, { limit, offset, after: cursor });
    page(found);
    return found.rows.map(toView);
  },

  /** The only look at an archived one that is left, and only by its id. */
  async get({ params, store, etag }) {
    const resource = await findResource(store, params.id);
    if (!resource) throw notFound('resource');
    etag(resource.version);
    return toView(resource);
  },

  async create({ body, store, record, afterCommit, etag, now }) {
    await requireKnownClients(store, listedClients(body.policy));
    const created = await orConflict(insertResource(store, body, now), taken);
    record({
      action: 'resource.created',
      feed: { kind: 'resource', key: created.id },
      details: { id: created.id, slug: created.slug, after: toView(created) },
    });
    afterCommit(() => metrics.resourceServerOps.inc({ op: 'create' }));
    etag(created.version);
    return toView(created);
  },

  async update({ params, body, store, record, afterCommit, match, etag }) {
    const touchesLinks = body.slug !== undefined || body.backend_kind !== undefined || body.scopes !== undefined;
    if (touchesLinks) await store.frontingLinks.lockAll();
    const before = await requireResource(store, params.id);
    match(before.version);
    etag(before.version);
    const fields = Object.keys(body);
    if (fields.length === 0) return toView(before);
    if (body.policy) await requireKnownClients(store, newlyListed(body.policy, before.policy));
    const backend = await backendOf(store, {
      kind: body.backend_kind ?? before.backendKind,
      providerId: body.broker_provider_id ?? (body.backend_kind === 'mint' ? undefined : before.brokerProviderId),
    });
    const wanted = {
      ...before,
      ...backend,
      slug: body.slug ?? before.slug,
      uri: body.uri ?? before.uri,
      displayName: body.display_name ?? before.displayName,
      scopes: body.scopes ?? before.scopes,
      policy: policyFor(backend.backendKind, body.policy ?? before.policy),
      dpopBoundAccessTokensRequired: body.dpop_bound_access_tokens_required ?? before.dpopBoundAccessTokensRequired,
    };
    if (touchesLinks) requireLinksKept(before, wanted, await store.frontingLinks.listOf(before.id));
    if (wanted.backendKind !== before.backendKind) await requireNoHistory(store, before);
    const after = await orConflict(store.resources.update(wanted), taken);
    if (!after) throw new ChangedMeanwhile('resource');
    const { id, slug } = after;
    record({
      action: 'resource.patched',
      feed: { kind: 'resource', key: id },
      details: { id, slug, fields: fields.join(','), before: toView(before), after: toView(after) },
    });
    afterCommit(() => metrics.resourceServerOps.inc({ op: 'update' }));
    etag(after.version);
    return toView(after);
  },

  /** Ends consents, families and tokens without asking for force: a rehearsal says beforehand what would end. */
  async delete({ params, query: { cascade }, store, record, afterCommit, match, now, dryRun }) {
    await store.frontingLinks.lockAll();
    const before = await requireResource(store, params.id);
    match(before.version);
    const { id, slug } = before;
    const links = await endLinks({ store, record }, before, cascade);
    const { families, ...end } = await endResource(store, before, now);
    record({
      action: 'resource.deleted',
      feed: { kind: 'resource', key: id },
      details: {
        ...{ id, slug, ...end, revoked_families: families },
        ...(links.length > 0 ? { cascaded_links: links.length } : {}),
        before: toView(before),
      },
    });
    afterCommit(() => metrics.resourceServerOps.inc({ op: 'delete' }));
    return dryRun ? { dependents: links.map(toLinkView), families, ...end } : undefined;
  },
});

/** Archived ones only by id: their slug may be another's. Ids win, because a slug that equals one is made on purpose. */
const findResource = async (
  { resources }: Pick<Repositories, 'resources'>,
  idOrSlug: string,
): Promise<Resource | undefined> => (await resources.find(idOrSlug)) ?? (await resources.findBySlug(idOrSlug));

/** @throws {Problem} `not_found`, or `conflict` for one that is archived */
export const requireResource = async (store: Pick<Repositories, 'resources'>, idOrSlug: string): Promise<Resource> => {
  const found = await findResource(store, idOrSlug);
  if (!found) throw notFound('resource');
  if (found.archivedAt) throw conflict('The resource was deleted; what is left of it is its history.');
  return found;
};

/** A policy that names nobody is a typo; the mistake would only show when somebody is refused. */
export const requireKnownClients = async (
  { clients }: Pick<Repositories, 'clients'>,
  clientIds: readonly string[],
): Promise<void> => {
  const unknown: string[] = [];
  for (const clientId of new Set(clientIds)) if (!(await clients.find(clientId))) unknown.push(clientId);
  if (unknown.length > 0) throw invalid(unknown.map((clientId) => `policy: there is no client ${clientId}`));
};

export const listedClients = (policy: ResourcePolicy): string[] => [
  ...policy.exchange.allowed_client_ids,
  ...policy.runtime.client_ids,
  ...(policy.exchange.budgets ?? []).flatMap(({ client_id }) => client_id ?? []),
];

/** Clients deleted since they were listed do not stand in the way of another change. */
const newlyListed = (policy: ResourcePolicy, before: ResourcePolicy): string[] => {
  const known = listedClients(before);
  return listedClients(policy).filter((clientId) => !known.includes(clientId));
};

/** @throws {Problem} when the provider does not fit. @throws {DuplicateRow} when the slug or the URI is taken */
export const insertResource = async (
  store: Pick<Repositories, 'resources' | 'brokerProviders'>,
  body: z.output<typeof CreateResource>,
  now: Date,
): Promise<Resource> => {
  const { backend_kind: kind, broker_provider_id: providerId, broker_provider_slug: providerSlug } = body;
  return store.resources.insert({
    id: uuidv7(now),
    slug: body.slug,
    uri: body.uri,
    ...(await backendOf(store, { kind, providerId, providerSlug })),
    displayName: body.display_name,
    scopes: body.scopes,
    policy: policyFor(kind, body.policy),
    dpopBoundAccessTokensRequired: body.dpop_bound_access_tokens_required,
  });
};

export const toView = (resource: Resource): z.output<typeof ResourceView> => ({
  id: resource.id,
  slug: resource.slug,
  uri: resource.uri ?? '',
  backend_kind: resource.backendKind,
  broker_provider_id: resource.brokerProviderId ?? '',
  display_name: resource.displayName,
  scopes: [...resource.scopes],
  policy: toPolicyView(resource),
  dpop_bound_access_tokens_required: resource.dpopBoundAccessTokensRequired,
  created_at: resource.createdAt.toISOString(),
  updated_at: resource.updatedAt.toISOString(),
  archived_at: resource.archivedAt?.toISOString(),
});

const toPolicyView = ({ backendKind, policy: { connect, ...policy } }: Resource) =>
  backendKind === 'broker' ? { ...policy, connect } : policy;
