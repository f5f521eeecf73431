import type { Entities, XaaPolicyView } from '@authserver/admin-api';
import { type Repositories, uuidv7, type XaaPolicy } from '@authserver/store';
import type { z } from 'zod';
import type { Handler, HandlersOf } from './handler.ts';
import { ChangedMeanwhile, invalid, notFound } from './refusals.ts';
import { requireIdp } from './trusted-idp.ts';

export const xaaPolicyHandlers = (): HandlersOf<'xaaPolicy'> => {
  const update: Handler<Entities['xaaPolicy']['operations']['update']> = async ({
    params,
    body,
    store,
    record,
    match,
    etag,
  }) => {
    const before = await requirePolicy(store, params.id);
    match(before.version);
    etag(before.version);
    const wanted: XaaPolicy = {
      ...before,
      name: body.name ?? before.name,
      priority: body.priority ?? before.priority,
      enabled: body.enabled ?? before.enabled,
      ...(body.client_ids === undefined ? {} : { clientIds: body.client_ids ?? undefined }),
      ...(body.scopes === undefined ? {} : { scopes: body.scopes ?? undefined }),
      ...(body.resources === undefined ? {} : { resources: body.resources ?? undefined }),
    };
    if (JSON.stringify(toPolicyView(wanted)) === JSON.stringify(toPolicyView(before))) return toPolicyView(before);
    // Clients deleted since they were listed do not stand in the way of another change.
    await requireClients(store, wanted.clientIds?.filter((id) => !before.clientIds?.includes(id)) ?? []);
    const after = await store.xaaPolicies.update(wanted);
    if (!after) throw new ChangedMeanwhile('policy');
    record({
      action: 'xaa_policy.updated',
      feed: { kind: 'xaa_policy', key: after.id },
      details: { policy: after.id, idp: after.idpId, before: toPolicyView(before), after: toPolicyView(after) },
    });
    etag(after.version);
    return toPolicyView(after);
  };

  return {
    async list({ query: { idp_id: idpId, limit, offset, cursor }, store, page }) {
      const found = await store.xaaPolicies.list({ idpId }, { limit, offset, after: cursor });
      page(found);
      return found.rows.map(toPolicyView);
    },

    async get({ params, store, etag }) {
      const policy = await requirePolicy(store, params.id);
      etag(policy.version);
      return toPolicyView(policy);
    },

    async create({ body, store, record, etag, now }) {
      const idp = await requireIdp(store, body.idp_id);
      await requireClients(store, body.client_ids ?? []);
      const created = await store.xaaPolicies.insert({
        id: uuidv7(now),
        idpId: idp.id,
        name: body.name ?? idp.name,
        priority: body.priority,
        clientIds: body.client_ids ?? undefined,
        scopes: body.scopes ?? undefined,
        resources: body.resources ?? undefined,
        enabled: body.enabled,
      });
      record({
        action: 'xaa_policy.created',
        feed: { kind: 'xaa_policy', key: created.id },
        details: { policy: created.id, idp: idp.id, after: toPolicyView(created) },
      });
      etag(created.version);
      return toPolicyView(created);
    },

    update,
    put: update,

    async delete({ params, store, record, match }) {
      const before = await requirePolicy(store, params.id);
      match(before.version);
      if (!(await store.xaaPolicies.delete(before.id))) throw notFound('policy');
      record({
        action: 'xaa_policy.deleted',
        feed: { kind: 'xaa_policy', key: before.id },
        details: { policy: before.id, idp: before.idpId, before: toPolicyView(before) },
      });
    },
  };
};

const requirePolicy = async ({ xaaPolicies }: Repositories, id: string): Promise<XaaPolicy> => {
  const policy = await xaaPolicies.find(id);
  if (!policy) throw notFound('policy');
  return policy;
};

/** A policy that names nobody is a typo; the mistake would only show when somebody is refused. */
const requireClients = async ({ clients }: Repositories, clientIds: readonly string[]): Promise<void> => {
  const unknown: string[] = [];
  for (const clientId of clientIds) if (!(await clients.find(clientId))) unknown.push(clientId);
  if (unknown.length > 0) throw invalid(unknown.map((clientId) => `client_ids: there is no client ${clientId}`));
};

export const toPolicyView = (policy: XaaPolicy): z.output<typeof XaaPolicyView> => ({
  id: policy.id,
  idp_id: policy.idpId,
  name: policy.name,
  priority: policy.priority,
  client_ids: policy.clientIds ? [...policy.clientIds] : null,
  scopes: policy.scopes ? [...policy.scopes] : null,
  resources: policy.resources ? [...policy.resources] : null,
  enabled: policy.enabled,
  created_at: policy.createdAt.toISOString(),
  updated_at: policy.updatedAt.toISOString(),
});
