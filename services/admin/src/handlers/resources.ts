import type { CreateResource, ResourceView } from '@authserver/admin-api';
import { type NewResource, type Repositories, type Resource, type ResourcePolicy, uuidv7 } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { ChangedMeanwhile, invalid, notFound, orConflict } from './refusals.ts';

const taken = (constraint: string) =>
  constraint.includes('uri') ? 'A resource with this URI exists already.' : 'A resource with this slug exists already.';

export const resourceHandlers = ({ metrics }: { metrics: Metrics }): HandlersOf<'resource'> => ({
  async list({ query: { slug, backend_kind, limit = 100, offset = 0 }, store, page, etag }) {
    if (slug !== undefined) {
      const found = await store.resources.findBySlug(slug);
      if (!found) throw notFound('resource');
      etag(found.version);
      return toView(found);
    }
    const found = await store.resources.list(backend_kind ? { backendKind: backend_kind } : {}, { limit, offset });
    page(found);
    return found.rows.map(toView);
  },

  async get({ params, store, etag }) {
    const resource = await requireResource(store, params.id);
    etag(resource.version);
    return toView(resource);
  },

  async create({ body, store, record, afterCommit, etag, now }) {
    await requireKnownClients(store, listedClients(body.policy));
    const created = await orConflict(store.resources.insert(toNewResource(body, now)), taken);
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
    const before = await requireResource(store, params.id);
    match(before.version);
    etag(before.version);
    const fields = Object.keys(body);
    if (fields.length === 0) return toView(before);
    if (body.policy) await requireKnownClients(store, newlyListed(body.policy, before.policy));
    const updating = store.resources.update({
      ...before,
      slug: body.slug ?? before.slug,
      uri: body.uri ?? before.uri,
      displayName: body.display_name ?? before.displayName,
      scopes: body.scopes ?? before.scopes,
      policy: body.policy ?? before.policy,
      dpopBoundAccessTokensRequired: body.dpop_bound_access_tokens_required ?? before.dpopBoundAccessTokensRequired,
    });
    const after = await orConflict(updating, taken);
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

  async delete({ params, store, record, afterCommit, match, now }) {
    const before = await requireResource(store, params.id);
    match(before.version);
    const { id, slug } = before;
    await store.consentGrants.lockOf({ resourceId: id });
    const revokedFamilies = await store.tokenFamilies.revokeAll({ resourceId: id }, 'resource_deleted', now);
    await store.resources.delete(id);
    record({
      action: 'resource.deleted',
      feed: { kind: 'resource', key: id },
      details: { id, slug, revoked_families: revokedFamilies, before: toView(before) },
    });
    afterCommit(() => metrics.resourceServerOps.inc({ op: 'delete' }));
  },
});

/** A slug may look like an id, so ids win: they are ours, and a slug that equals one would have to be made on purpose. */
export const requireResource = async (
  { resources }: Pick<Repositories, 'resources'>,
  idOrSlug: string,
): Promise<Resource> => {
  const found = (await resources.find(idOrSlug)) ?? (await resources.findBySlug(idOrSlug));
  if (!found) throw notFound('resource');
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
];

/** Clients deleted since they were listed do not stand in the way of another change. */
const newlyListed = (policy: ResourcePolicy, before: ResourcePolicy): string[] => {
  const known = listedClients(before);
  return listedClients(policy).filter((clientId) => !known.includes(clientId));
};

export const toNewResource = (body: z.output<typeof CreateResource>, now: Date): NewResource => ({
  id: uuidv7(now),
  slug: body.slug,
  uri: body.uri,
  backendKind: body.backend_kind,
  brokerProviderId: undefined,
  displayName: body.display_name,
  scopes: body.scopes,
  policy: body.policy,
  dpopBoundAccessTokensRequired: body.dpop_bound_access_tokens_required,
});

export const toView = (resource: Resource): z.output<typeof ResourceView> => ({
  id: resource.id,
  slug: resource.slug,
  uri: resource.uri ?? '',
  backend_kind: resource.backendKind,
  broker_provider_id: resource.brokerProviderId ?? '',
  display_name: resource.displayName,
  scopes: [...resource.scopes],
  policy: resource.policy,
  dpop_bound_access_tokens_required: resource.dpopBoundAccessTokensRequired,
  created_at: resource.createdAt.toISOString(),
  updated_at: resource.updatedAt.toISOString(),
});
