import type { CreateResource, ResourceView } from '@authserver/admin-api';
import {
  type NewResource,
  type Repositories,
  type Resource,
  type ResourcePolicy,
  type Store,
  uuidv7,
} from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { recordChange } from './record-change.ts';
import { changedMeanwhile, invalid, notFound, orConflict } from './refusals.ts';

const taken = (constraint: string) =>
  constraint.includes('uri') ? 'A resource with this URI exists already.' : 'A resource with this slug exists already.';

export const resourceHandlers = ({ store, metrics }: { store: Store; metrics: Metrics }): HandlersOf<'resource'> => ({
  async list({ query: { slug, backend_kind, limit = 100, offset = 0 }, total }) {
    if (slug !== undefined) {
      const found = await store.resources.findBySlug(slug);
      if (!found) throw notFound('resource');
      return toView(found);
    }
    const found = await store.resources.list(backend_kind ? { backendKind: backend_kind } : {}, { limit, offset });
    total(found.total);
    return found.rows.map(toView);
  },

  get: async ({ params }) => toView(await requireResource(store, params.id)),

  async create({ body, caller, now }) {
    const creating = store.transaction(async (tx) => {
      await requireKnownClients(tx, listedClients(body.policy));
      const created = await tx.resources.insert(toNewResource(body, now));
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'resource.created',
          kind: 'resource',
          key: created.id,
          details: { id: created.id, slug: created.slug, after: toView(created) },
        },
      );
      return created;
    });
    const created = await orConflict(creating, taken);
    metrics.resourceServerOps.inc({ op: 'create' });
    return toView(created);
  },

  async update({ params, body, caller, now }) {
    const fields = Object.keys(body);
    if (fields.length === 0) return toView(await requireResource(store, params.id));
    const updating = store.transaction(async (tx) => {
      const before = await requireResource(tx, params.id);
      if (body.policy) await requireKnownClients(tx, newlyListed(body.policy, before.policy));
      const after = await tx.resources.update({
        ...before,
        slug: body.slug ?? before.slug,
        uri: body.uri ?? before.uri,
        displayName: body.display_name ?? before.displayName,
        scopes: body.scopes ?? before.scopes,
        policy: body.policy ?? before.policy,
        dpopBoundAccessTokensRequired: body.dpop_bound_access_tokens_required ?? before.dpopBoundAccessTokensRequired,
      });
      if (!after) throw changedMeanwhile('resource');
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'resource.patched',
          kind: 'resource',
          key: after.id,
          details: {
            id: after.id,
            slug: after.slug,
            fields: fields.join(','),
            before: toView(before),
            after: toView(after),
          },
        },
      );
      return after;
    });
    const updated = await orConflict(updating, taken);
    metrics.resourceServerOps.inc({ op: 'update' });
    return toView(updated);
  },

  async delete({ params, caller, now }) {
    await store.transaction(async (tx) => {
      const before = await requireResource(tx, params.id);
      await tx.consentGrants.lockOf({ resourceId: before.id });
      const revokedFamilies = await tx.tokenFamilies.revokeAll({ resourceId: before.id }, 'resource_deleted', now);
      await tx.resources.delete(before.id);
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'resource.deleted',
          kind: 'resource',
          key: before.id,
          details: { id: before.id, slug: before.slug, revoked_families: revokedFamilies, before: toView(before) },
        },
      );
    });
    metrics.resourceServerOps.inc({ op: 'delete' });
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
