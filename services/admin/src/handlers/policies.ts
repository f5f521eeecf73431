import type { Resource, ResourcePolicy, Store } from '@authserver/store';
import type { AuditAction } from '@authserver/telemetry';
import type { Caller, HandlersOf } from './handler.ts';
import { recordChange } from './record-change.ts';
import { changedMeanwhile } from './refusals.ts';
import { requireKnownClients, requireResource } from './resources.ts';

/** The three lists of a policy: how to read one and how to put another in its place. */
const lists = {
  exchange: {
    read: ({ exchange }: ResourcePolicy) => exchange.allowed_client_ids,
    write: (policy: ResourcePolicy, items: string[]) => ({ ...policy, exchange: { allowed_client_ids: items } }),
    member: 'client_id',
    added: 'resource.policy.exchange.allowed_client.added',
    removed: 'resource.policy.exchange.allowed_client.removed',
  },
  runtime: {
    read: ({ runtime }: ResourcePolicy) => runtime.client_ids,
    write: (policy: ResourcePolicy, items: string[]) => ({ ...policy, runtime: { client_ids: items } }),
    member: 'client_id',
    added: 'resource.policy.runtime.client.added',
    removed: 'resource.policy.runtime.client.removed',
  },
  connect: {
    read: ({ connect }: ResourcePolicy) => connect.allowed_return_urls,
    write: (policy: ResourcePolicy, items: string[]) => ({ ...policy, connect: { allowed_return_urls: items } }),
    member: 'return_url',
    added: 'resource.policy.connect.allowed_return_url.added',
    removed: 'resource.policy.connect.allowed_return_url.removed',
  },
} as const satisfies Record<string, { added: AuditAction; removed: AuditAction } & Record<string, unknown>>;

type ListName = keyof typeof lists;
type Actor = { caller: Caller; now: Date };

/** Adding what is there and removing what is not changes nothing and leaves no trace. */
export const policyHandlers = ({ store }: { store: Store }): HandlersOf<'policy'> => {
  const read = async (slug: string, name: ListName) => [
    ...lists[name].read((await requireResource(store, slug)).policy),
  ];

  const add = (slug: string, name: ListName, item: string, actor: Actor) =>
    store.transaction(async (tx) => {
      const resource = await requireResource(tx, slug);
      const items = lists[name].read(resource.policy);
      if (items.includes(item)) return items;
      if (lists[name].member === 'client_id') await requireKnownClients(tx, [item]);
      return replace(tx, resource, name, [...items, item], lists[name].added, item, actor);
    });

  const remove = (slug: string, name: ListName, item: string, actor: Actor) =>
    store.transaction(async (tx) => {
      const resource = await requireResource(tx, slug);
      const items = lists[name].read(resource.policy);
      if (!items.includes(item)) return items;
      const kept = items.filter((other) => other !== item);
      return replace(tx, resource, name, kept, lists[name].removed, item, actor);
    });

  return {
    listExchangeClients: async ({ params }) => ({ allowed_client_ids: await read(params.slug, 'exchange') }),
    addExchangeClient: async ({ params, body, ...actor }) => ({
      allowed_client_ids: await add(params.slug, 'exchange', body.client_id, actor),
    }),
    removeExchangeClient: async ({ params, ...actor }) => ({
      allowed_client_ids: await remove(params.slug, 'exchange', params.client_id, actor),
    }),

    listRuntimeClients: async ({ params }) => ({ client_ids: await read(params.slug, 'runtime') }),
    addRuntimeClient: async ({ params, body, ...actor }) => ({
      client_ids: await add(params.slug, 'runtime', body.client_id, actor),
    }),
    removeRuntimeClient: async ({ params, ...actor }) => ({
      client_ids: await remove(params.slug, 'runtime', params.client_id, actor),
    }),

    listReturnUrls: async ({ params }) => ({ allowed_return_urls: await read(params.slug, 'connect') }),
    addReturnUrl: async ({ params, body, ...actor }) => ({
      allowed_return_urls: await add(params.slug, 'connect', body.url, actor),
    }),
    removeReturnUrl: async ({ params, query, ...actor }) => ({
      allowed_return_urls: await remove(params.slug, 'connect', query.url, actor),
    }),
  };
};

const replace = async (
  tx: Parameters<typeof recordChange>[0],
  resource: Resource,
  name: ListName,
  items: string[],
  action: AuditAction,
  item: string,
  { caller, now }: Actor,
): Promise<string[]> => {
  const { read, write, member } = lists[name];
  const after = await tx.resources.update({ ...resource, policy: write(resource.policy, items) });
  if (!after) throw changedMeanwhile('resource');
  await recordChange(
    tx,
    { caller, now },
    {
      action,
      kind: 'resource',
      key: resource.id,
      ...(member === 'client_id' ? { clientId: item } : {}),
      details: { slug: resource.slug, [member]: item, before: read(resource.policy), after: read(after.policy) },
    },
  );
  return read(after.policy);
};
