import { isDeepStrictEqual } from 'node:util';
import type { ExchangeBudget, Resource } from '@authserver/store';
import type { AuditAction } from '@authserver/telemetry';
import type { Call, HandlersOf } from './handler.ts';
import { ChangedMeanwhile } from './refusals.ts';
import { requireKnownClients, requireResource } from './resources.ts';

type Handlers = Pick<HandlersOf<'policy'>, 'listExchangeBudgets' | 'setExchangeBudget' | 'removeExchangeBudget'>;

/** Budgets of exchanges for a resource, one for each client and one for everybody else. Setting what is there leaves no trace. */
export const budgetHandlers: Handlers = {
  async listExchangeBudgets({ params, store, etag }) {
    const resource = await requireResource(store, params.slug);
    etag(resource.version);
    return { budgets: budgetsOf(resource) };
  },

  setExchangeBudget: ({ params, body, ...call }) =>
    edit(params.slug, body.client_id, call, 'resource.policy.exchange.budget.set', async (budgets) => {
      const at = budgets.findIndex(({ client_id }) => client_id === body.client_id);
      if (at >= 0) return budgets.with(at, body);
      if (body.client_id !== undefined) await requireKnownClients(call.store, [body.client_id]);
      return [...budgets, body];
    }),

  removeExchangeBudget: ({ params, query, ...call }) =>
    edit(params.slug, query.client_id, call, 'resource.policy.exchange.budget.removed', async (budgets) =>
      budgets.filter(({ client_id }) => client_id !== query.client_id),
    ),
};

const budgetsOf = ({ policy }: Resource): ExchangeBudget[] => policy.exchange.budgets ?? [];

const edit = async (
  slug: string,
  clientId: string | undefined,
  { store, record, match, etag }: Pick<Call, 'store' | 'record' | 'match' | 'etag'>,
  action: AuditAction,
  change: (budgets: ExchangeBudget[]) => Promise<ExchangeBudget[]>,
): Promise<{ budgets: ExchangeBudget[] }> => {
  const before = await requireResource(store, slug);
  match(before.version);
  etag(before.version);
  const budgets = await change(budgetsOf(before));
  if (isDeepStrictEqual(budgets, budgetsOf(before))) return { budgets };
  const exchange = { ...before.policy.exchange, budgets };
  const after = await store.resources.update({ ...before, policy: { ...before.policy, exchange } });
  if (!after) throw new ChangedMeanwhile('resource');
  record({
    action,
    feed: { kind: 'resource', key: before.id },
    clientId,
    details: { slug: before.slug, client_id: clientId ?? '', before: budgetsOf(before), after: budgets },
  });
  etag(after.version);
  return { budgets: budgetsOf(after) };
};
