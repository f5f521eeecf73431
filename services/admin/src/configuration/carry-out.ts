import { Problem, toProblem } from '@authserver/http';
import { Deadlocked, StoreUnavailable } from '@authserver/store';
import type { Call } from '../handlers/handler.ts';
import { ChangedMeanwhile } from '../handlers/refusals.ts';
import { topOf } from './compare.ts';
import type { Plan, Step } from './plan.ts';
import { type DeclarationProblem, refusal } from './problems.ts';

export type Secret = { client_id: string; client_secret: string };

/** How often whoever watches hears how far it is. */
const reportEvery = 50;

/**
 * Does the steps of a plan with the handlers of the single operations, all in the transaction of the call, and notes who
 * owns what. Returns the secrets that were made.
 *
 * @throws {Problem} naming every step that cannot be done; then none is
 */
export const carryOut = async (
  call: Call,
  { steps, stale, gone }: Plan,
  options: { owner: string; force: boolean },
): Promise<Secret[]> => {
  const secrets: Secret[] = [];
  const problems: DeclarationProblem[] = [];
  const identities = new Map<Step, string>();
  let conflicts = false;
  let done = 0;
  if (steps.some(({ kind }) => kind.name === 'resource' || kind.name === 'fronting_link'))
    await call.store.frontingLinks.lockAll();
  for (let pending: readonly Step[] = steps; pending.length > 0; ) {
    const waiting: { step: Step; problem: Problem }[] = [];
    for (const step of pending) {
      if (done % reportEvery === 0) call.progress({ done, total: steps.length });
      try {
        const created = await perform(call, step, options);
        identities.set(step, created?.identity ?? step.found?.identity ?? '');
        if (created?.secret !== undefined) secrets.push({ client_id: step.key, client_secret: created.secret });
        done += 1;
      } catch (error) {
        // The first failure of a statement ends what the transaction can do; what was found until then is told.
        if (problems.length + waiting.length > 0 && isAborted(error)) break;
        if (!isRefusal(error)) throw error;
        const problem = toProblem(error);
        if (isRetried(step, problem)) waiting.push({ step, problem });
        else {
          conflicts ||= problem.code === 'conflict';
          problems.push(toDeclarationProblem(step, problem));
        }
        if (!(error instanceof Problem)) break;
      }
    }
    if (problems.length > 0 || waiting.length === pending.length) {
      problems.push(...waiting.map(({ step, problem }) => toDeclarationProblem(step, problem)));
      break;
    }
    pending = waiting.map(({ step }) => step);
  }
  if (problems.length > 0) throw refusal(problems, conflicts ? 'conflict' : 'invalid_request');
  call.progress({ done: steps.length, total: steps.length });
  await noteOwners(call, { steps, stale, gone }, options.owner, identities);
  return secrets;
};

const perform = async (call: Call, step: Step, { force }: { force: boolean }) => {
  const { action, kind, declared, found, changes } = step;
  // Its preconditions and headers are those of the whole, not of a part.
  const single: Call = { ...call, match: () => {}, etag: () => {}, page: () => {} };
  if (action === 'create' && declared) return kind.create(single, declared.declaration);
  const members = [...new Set(changes.map(({ member }) => topOf(member)))];
  if (action === 'change' && declared && found) await kind.change(single, found, declared.declaration, members);
  if (action === 'delete' && found) await kind.delete(single, found, { force });
  return undefined;
};

/** Refused before anything was written, by handlers that look first; what is done after it may have cleared the way. */
const isRetried = ({ action, kind }: Step, problem: Problem): boolean =>
  kind.retried === true && action !== 'delete' && problem.code === 'invalid_request';

/** What the object itself stands against. Two operators who met, or a database that is away, are no fault of a file. */
const isRefusal = (error: unknown): boolean => {
  if (error instanceof ChangedMeanwhile || error instanceof Deadlocked || error instanceof StoreUnavailable)
    return false;
  if (error instanceof Problem) return error.status < 500;
  return ['ReferenceGone', 'DuplicateRow'].includes((error as Error).name);
};

/** PostgreSQL's word for a transaction in which a statement has failed. */
const isAborted = (error: unknown): boolean => (error as { code?: string }).code === '25P02';

const toDeclarationProblem = ({ kind, key, declared }: Step, problem: Problem): DeclarationProblem => ({
  list: kind.list,
  kind: kind.name,
  ...(declared ? { index: declared.index } : {}),
  key,
  message: problem.message,
});

const noteOwners = async (
  { store, now }: Call,
  { steps, stale, gone }: Pick<Plan, 'steps' | 'stale' | 'gone'>,
  owner: string,
  identities: ReadonlyMap<Step, string>,
): Promise<void> => {
  const removed = [...gone, ...steps.filter(({ action }) => action === 'delete')];
  for (const name of new Set(removed.map(({ kind }) => kind.name)))
    await store.configurationOwners.remove(
      name,
      removed.filter(({ kind }) => kind.name === name).map(({ key }) => key),
    );
  const owned = [
    ...steps.flatMap((step) =>
      step.declared ? [{ declared: step.declared, identity: identities.get(step) ?? '' }] : [],
    ),
    ...stale.map(({ declared, found }) => ({ declared, identity: found.identity })),
  ];
  for (let start = 0; start < owned.length; start += 500)
    await store.configurationOwners.put(
      owned.slice(start, start + 500).map(({ declared: { kind, key, declaration }, identity }) => {
        const { client_secret: _, ...applied } = declaration;
        return { kind: kind.name, key, owner, identity, applied };
      }),
      now,
    );
};
