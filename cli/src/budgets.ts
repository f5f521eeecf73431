import type { AdminClient } from '@authserver/admin-api';
import type { Value } from './output.ts';

/** What a client, or every other client, may exchange for a resource before the user is asked again. */
export type Budget = Awaited<ReturnType<AdminClient['policy']['listExchangeBudgets']>>['budgets'][number];

export const budgetPairs = ({ client_id = 'default', ...limits }: Budget): Record<string, Value> => ({
  client_id,
  ...limits,
});

/** In one word, beside other budgets of the resource. */
export const budgetText = (budget: Budget): string =>
  Object.entries(budgetPairs(budget))
    .map(([name, value]) => (name === 'client_id' ? value : `${name}=${value}`))
    .join(':');
