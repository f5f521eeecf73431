import type { AdminClient } from '@authserver/admin-api';
import { pairs } from '../output.ts';

export type Plan = Awaited<ReturnType<AdminClient['configuration']['plan']>>;
type Change = NonNullable<Plan['steps'][number]['changes']>[number];

const keysShown = 10;

/** A plan as lines: what is done to which object, then what else is worth knowing, and the sum. */
export const planLines = (plan: Plan): string[] => [
  ...stepLines(plan),
  ...plan.drift.flatMap(({ kind, key, what, changes }) =>
    changes
      ? changes.map((change) => `drift: ${pairs({ kind, key, what, ...changeOf(change, 'applied', 'now') })}`)
      : [`drift: ${pairs({ kind, key, what })}`],
  ),
  ...plan.left.map(({ kind, key }) => `left: ${pairs({ kind, key })}`),
  ...plan.undeclared.map(
    ({ kind, count, keys }) => `undeclared: ${pairs({ kind, count, first: keys.slice(0, keysShown) })}`,
  ),
  `plan: ${pairs({ owner: plan.owner, ...sums(plan), plan: plan.plan, role: plan.role })}`,
];

export const stepLines = ({ steps }: Pick<Plan, 'steps'>): string[] =>
  steps.flatMap(({ action, kind, key, changes, taken_from }) =>
    changes
      ? changes.map((change) => `${action}: ${pairs({ kind, key, taken_from, ...changeOf(change, 'from', 'to') })}`)
      : [`${action}: ${pairs({ kind, key, taken_from })}`],
  );

export const sums = ({ steps, unchanged }: Pick<Plan, 'steps' | 'unchanged'>): Record<string, number> => {
  const count = (action: string) => steps.filter((step) => step.action === action).length;
  return {
    create: count('create'),
    change: count('change'),
    adopt: count('adopt'),
    delete: count('delete'),
    unchanged,
  };
};

const changeOf = ({ member, from, to }: Change, before: string, after: string) => ({
  member,
  [before]: shown(from),
  [after]: shown(to),
});

const shown = (value: unknown): string | undefined =>
  value === undefined || typeof value === 'string' ? value : JSON.stringify(value);
