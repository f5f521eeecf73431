import { setTimeout as wait } from 'node:timers/promises';
import {
  type AdminRole,
  type ApplyConfiguration,
  adminRoles,
  type ConfigurationPlan,
  type PlanConfiguration,
} from '@authserver/admin-api';
import { Problem } from '@authserver/http';
import { Deadlocked, type Store } from '@authserver/store';
import type { z } from 'zod';
import { carryOut, type Secret } from '../configuration/carry-out.ts';
import { exportConfiguration } from '../configuration/export.ts';
import type { Kind } from '../configuration/kind.ts';
import { fingerprintOf, makePlan, type Plan, roleFor, toShownStep } from '../configuration/plan.ts';
import { refusal } from '../configuration/problems.ts';
import { danglingReferences, readDeclarations } from '../configuration/read-declarations.ts';
import type { Call, Caller, HandlersOf } from './handler.ts';
import { ChangedMeanwhile } from './refusals.ts';

type Question = z.output<typeof PlanConfiguration> | z.output<typeof ApplyConfiguration>;
type Shown = z.output<typeof ConfigurationPlan>;

/** Undoes what a plan has tried. */
class Tried extends Error {
  readonly plan: Shown;
  constructor(plan: Shown) {
    super('plan');
    this.plan = plan;
  }
}

export const configurationHandlers = (deps: { store: Store; kinds: readonly Kind[] }): HandlersOf<'configuration'> => {
  const { kinds } = deps;

  /** What is to be done, done: whether it stays is for the transaction of the call. */
  const work = async (call: Call, body: Question): Promise<{ plan: Plan; shown: Shown; secrets: Secret[] }> => {
    const { owner, prune, force, take_over: takeOver } = body;
    const { declared, problems: wrong } = await readDeclarations(kinds, body.configuration);
    await takeTurn(call);
    const dangling = await danglingReferences(call.store, kinds, declared);
    if (wrong.length + dangling.length > 0) throw refusal([...wrong, ...dangling]);
    const { plan, problems } = await makePlan(call.store, kinds, declared, { owner, prune, takeOver });
    if (problems.length > 0) throw refusal(problems, 'conflict');
    const shown = show(owner, plan);
    if ('plan' in body && body.plan !== undefined && body.plan !== shown.plan)
      throw new Problem(
        'precondition_failed',
        'Something else would be done by now than what the plan says; plan again.',
      );
    requireRole(call.caller, shown.role);
    const secrets = await carryOut(call, plan, { owner, force });
    return { plan, shown, secrets };
  };

  return {
    async export({ query: { owner }, store }) {
      return exportConfiguration(store, kinds, { owner });
    },

    async owners({ query: { owner, kind, limit, offset }, store }) {
      const owned = await store.configurationOwners.list({ owner, kind }, { limit, offset });
      return owned.map(({ appliedAt, identity: _, ...rest }) => ({ ...rest, applied_at: appliedAt.toISOString() }));
    },

    /** Tried to the end and undone, so that it names every obstacle that apply would meet. */
    async plan({ body, ...call }) {
      for (let attempt = 1; ; attempt += 1)
        try {
          return await deps.store.transaction(async (tx) => {
            const { shown } = await work(
              // Whoever looks may see what an owner could do.
              {
                ...call,
                ...{ store: tx, dryRun: true, record: () => {}, afterCommit: () => {} },
                caller: { ...call.caller, role: 'owner' },
              },
              body,
            );
            throw new Tried(shown);
          });
        } catch (error) {
          if (error instanceof Tried) return error.plan;
          const again = error instanceof ChangedMeanwhile || error instanceof Deadlocked;
          if (!again || attempt === 4) throw error;
        }
    },

    async apply({ body, ...call }) {
      const { plan, shown, secrets } = await work(call, body);
      const { steps } = plan;
      if (steps.length > 0)
        call.record({ action: 'configuration.applied', details: summaryOf(body, plan, shown.plan) });
      return { ...shown, secrets: call.dryRun ? [] : secrets };
    },
  };
};

const requireRole = ({ role }: Caller, needed: AdminRole): void => {
  if (adminRoles.indexOf(role) < adminRoles.indexOf(needed))
    throw new Problem('forbidden', `This needs the role ${needed}; the key has the role ${role}.`);
};

/** Longer than an apply takes, and shorter than anybody waits for one. */
const longestWaitMs = 60_000;

/** One at a time. A statement that waits would be given up after a while, so this one asks again and again. */
const takeTurn = async ({ store }: Call): Promise<void> => {
  const deadline = performance.now() + longestWaitMs;
  while (!(await store.configurationOwners.tryLock())) {
    if (performance.now() > deadline)
      throw new Problem('conflict', 'Another configuration is being applied; try again when it is done.');
    await wait(100);
  }
};

const show = (owner: string, { steps, unchanged, drift, left, undeclared }: Plan): Shown => ({
  owner,
  plan: fingerprintOf(owner, steps),
  steps: steps.map(toShownStep),
  unchanged,
  drift: drift.map(({ kind, ...rest }) => ({ kind: kind.name, ...rest })),
  left: left.map(({ kind, key }) => ({ kind: kind.name, key })),
  undeclared: undeclared.map(({ kind, ...rest }) => ({ kind: kind.name, ...rest })),
  role: roleFor(steps),
});

/** Adoptions have no event of their own. */
const maxAdoptedNamed = 200;

const summaryOf = ({ owner, prune }: Question, { steps }: Plan, plan: string): Record<string, unknown> => {
  const count = (action: string) => steps.filter((step) => step.action === action).length;
  return {
    ...{ owner, plan, prune },
    ...{ created: count('create'), changed: count('change'), adopted: count('adopt'), deleted: count('delete') },
    taken_over: steps.flatMap(({ takenFrom, kind, key }) => (takenFrom ? [`${kind.name} ${key} of ${takenFrom}`] : [])),
    adopted_objects: steps
      .filter(({ action }) => action === 'adopt')
      .slice(0, maxAdoptedNamed)
      .map(({ kind, key }) => `${kind.name} ${key}`),
  };
};
