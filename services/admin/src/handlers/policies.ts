import type { Repositories, Resource, ResourcePolicy } from '@authserver/store';
import type { AuditAction, Metrics } from '@authserver/telemetry';
import { budgetHandlers } from './budgets.ts';
import type { Call, HandlersOf } from './handler.ts';
import { ChangedMeanwhile, invalid } from './refusals.ts';
import { requireKnownClients, requireResource } from './resources.ts';

/** The three lists of a policy: how to read one and how to put another in its place. */
const lists = {
  exchange: {
    read: ({ exchange }: ResourcePolicy) => exchange.allowed_client_ids,
    write: (policy: ResourcePolicy, items: string[]) => ({
      ...policy,
      exchange: { ...policy.exchange, allowed_client_ids: items },
    }),
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
type Look = Pick<Call, 'store' | 'etag'>;
type Edit = Pick<Call, 'store' | 'record' | 'match' | 'etag'>;

/** Nobody connects anything for a mint resource, so it has no list of where that may return. */
const requireWithList = async (
  store: Pick<Repositories, 'resources'>,
  slug: string,
  name: ListName,
): Promise<Resource> => {
  const resource = await requireResource(store, slug);
  if (name === 'connect' && resource.backendKind !== 'broker')
    throw invalid(['slug: a mint resource has no connect policy; only a broker resource has']);
  return resource;
};

/** Adding what is there and removing what is not changes nothing and leaves no trace. */
export const policyHandlers = ({ metrics }: { metrics: Metrics }): HandlersOf<'policy'> => ({
  listExchangeClients: async ({ params, ...call }) => ({
    allowed_client_ids: await read(params.slug, 'exchange', call),
  }),
  addExchangeClient: async ({ params, body, ...call }) => {
    const counted = { ...call, record: counting(call, metrics, 'add') };
    return { allowed_client_ids: await add(params.slug, 'exchange', body.client_id, counted) };
  },
  removeExchangeClient: async ({ params, ...call }) => {
    const counted = { ...call, record: counting(call, metrics, 'remove') };
    return { allowed_client_ids: await remove(params.slug, 'exchange', params.client_id, counted) };
  },

  ...budgetHandlers,

  listRuntimeClients: async ({ params, ...call }) => ({ client_ids: await read(params.slug, 'runtime', call) }),
  addRuntimeClient: async ({ params, body, ...call }) => ({
    client_ids: await add(params.slug, 'runtime', body.client_id, call),
  }),
  removeRuntimeClient: async ({ params, ...call }) => ({
    client_ids: await remove(params.slug, 'runtime', params.client_id, call),
  }),

  listReturnUrls: async ({ params, ...call }) => ({ allowed_return_urls: await read(params.slug, 'connect', call) }),
  addReturnUrl: async ({ params, body, ...call }) => ({
    allowed_return_urls: await add(params.slug, 'connect', body.url, call),
  }),
  removeReturnUrl: async ({ params, query, ...call }) => ({
    allowed_return_urls: await remove(params.slug, 'connect', query.url, call),
  }),
});

/** Counts what is recorded: a change of nothing is neither. */
const counting =
  (
    { record, afterCommit }: Pick<Call, 'record' | 'afterCommit'>,
    metrics: Metrics,
    op: 'add' | 'remove',
  ): Call['record'] =>
  (change) => {
    record(change);
    afterCommit(() => metrics.allowlistOps.inc({ op }));
  };

const read = async (slug: string, name: ListName, { store, etag }: Look): Promise<string[]> => {
  const resource = await requireWithList(store, slug, name);
  etag(resource.version);
  return [...lists[name].read(resource.policy)];
};

const add = (slug: string, name: ListName, item: string, call: Edit): Promise<string[]> =>
  edit(slug, name, item, call, async (items) => {
    if (items.includes(item)) return undefined;
    if (lists[name].member === 'client_id') await requireKnownClients(call.store, [item]);
    return { items: [...items, item], action: lists[name].added };
  });

const remove = (slug: string, name: ListName, item: string, call: Edit): Promise<string[]> =>
  edit(slug, name, item, call, async (items) =>
    items.includes(item) ? { items: items.filter((other) => other !== item), action: lists[name].removed } : undefined,
  );

const edit = async (
  slug: string,
  name: ListName,
  item: string,
  { store, record, match, etag }: Edit,
  change: (items: string[]) => Promise<{ items: string[]; action: AuditAction } | undefined>,
): Promise<string[]> => {
  const { read, write, member } = lists[name];
  const before = await requireWithList(store, slug, name);
  match(before.version);
  etag(before.version);
  const changed = await change(read(before.policy));
  if (!changed) return read(before.policy);
  const after = await store.resources.update({ ...before, policy: write(before.policy, changed.items) });
  if (!after) throw new ChangedMeanwhile('resource');
  record({
    action: changed.action,
    feed: { kind: 'resource', key: before.id },
    clientId: member === 'client_id' ? item : undefined,
    details: { slug: before.slug, [member]: item, before: read(before.policy), after: read(after.policy) },
  });
  etag(after.version);
  return read(after.policy);
};
