/**
 * What every operation has in common, so that a new one starts out correct: who may do it, one transaction for a change
 * with its audit event and its row in the change feed, `dry_run`, `If-Match`, `Idempotency-Key`, and another try when two
 * operators met.
 */
import {
  adminRoles,
  isChange,
  type OnProgress,
  type Operation,
  rehearsalStatus,
  roleOf,
  successStatus,
  toCursor,
} from '@authserver/admin-api';
import { Problem } from '@authserver/http';
import { Deadlocked, type Repositories, type Store } from '@authserver/store';
import type { Call, Caller, Change } from '../handlers/handler.ts';
import { recordChanges } from '../handlers/record-changes.ts';
import { ChangedMeanwhile } from '../handlers/refusals.ts';
import { type Answer, answerOnce, type RepeatableRequest } from './idempotency.ts';
import { isKnownVersion, matchVersion, preconditionFailed, toEtag } from './preconditions.ts';

/** A handler as the loop over the table sees it; that it fits its row is checked where the handlers are made. */
export type AnyHandler = (input: Call & { params: unknown; query: unknown; body: unknown }) => Promise<unknown>;

export type OperationRequest = {
  operation: Operation;
  handle: AnyHandler;
  params: unknown;
  query: Record<string, unknown>;
  body: unknown;
  caller: Caller;
  now: Date;
  ifMatch: string | undefined;
  ifNoneMatch: string | undefined;
  repeatable: RepeatableRequest | undefined;
  /** Told how far a long operation is. */
  onProgress?: OnProgress | undefined;
  /** The address of the page after this one of a list. */
  addressOf: (query: Record<string, string>) => string;
  /** Told after a commit; what it does is waited for by nobody. */
  committed: () => void;
};

/** @throws {Problem} */
export const runOperation = async (store: Store, request: OperationRequest): Promise<Answer> => {
  requireRole(request.caller, request.operation);
  if (request.operation.inParts) return workInParts(store, request);
  return isChange(request.operation) ? change(store, request) : look(store, request);
};

const requireRole = ({ role }: Caller, operation: Operation): void => {
  const needed = roleOf(operation);
  if (adminRoles.indexOf(role) < adminRoles.indexOf(needed))
    throw new Problem('forbidden', `This needs the role ${needed}; the key has the role ${role}.`);
};

const look = async (store: Store, request: OperationRequest): Promise<Answer> => {
  const { answer, version } = await handleOn(store, request, { dryRun: false, changes: [], afterCommit: [] });
  return isKnownVersion(request.ifNoneMatch, version) ? { ...answer, status: 304, body: undefined } : answer;
};

/** Done again it does what is left, so a repetition is not the business of `Idempotency-Key`. */
const workInParts = async (store: Store, request: OperationRequest): Promise<Answer> => {
  const dryRun = request.query.dry_run === true;
  const { answer } = await handleOn(store, request, { dryRun, changes: [], afterCommit: [] });
  return dryRun ? withoutSecret(answer, request.operation) : answer;
};

/** Undoes a transaction whose answer is wanted all the same. */
class Undo extends Error {
  readonly answer: Answer;
  constructor(answer: Answer) {
    super('dry run');
    this.answer = answer;
  }
}

const attempts = 4;

const change = async (store: Store, request: OperationRequest): Promise<Answer> => {
  const dryRun = request.query.dry_run === true;
  for (let attempt = 1; ; attempt += 1)
    try {
      return dryRun ? await rehearse(store, request) : await perform(store, request);
    } catch (error) {
      if (error instanceof ChangedMeanwhile && request.ifMatch !== undefined) throw preconditionFailed();
      const again = error instanceof ChangedMeanwhile || error instanceof Deadlocked;
      if (!again || attempt === attempts) throw error;
    }
};

const perform = async (store: Store, request: OperationRequest): Promise<Answer> => {
  const { caller, now, repeatable } = request;
  const afterCommit: (() => unknown)[] = [];
  const answer = await store.transaction((tx) => {
    const work = async () => {
      const changes: Change[] = [];
      const { answer } = await handleOn(tx, request, { dryRun: false, changes, afterCommit });
      await recordChanges(tx, { caller, now }, changes);
      return answer;
    };
    return repeatable ? answerOnce(tx, repeatable, now, work) : work();
  });
  request.committed();
  for (const work of afterCommit) await work();
  return answer;
};

const rehearse = async (store: Store, request: OperationRequest): Promise<Answer> => {
  try {
    return await store.transaction(async (tx) => {
      const { answer } = await handleOn(tx, request, { dryRun: true, changes: [], afterCommit: [] });
      throw new Undo(withoutSecret(answer, request.operation));
    });
  } catch (error) {
    if (error instanceof Undo) return error.answer;
    throw error;
  }
};

const handleOn = async (
  store: Repositories,
  request: OperationRequest,
  effects: { dryRun: boolean; changes: Change[]; afterCommit: (() => unknown)[] },
): Promise<{ answer: Answer; version: number | undefined }> => {
  const { operation, params, query, body, caller, now, ifMatch } = request;
  const headers: Record<string, string> = {};
  let shown: number | undefined;
  const answer = await request.handle({
    params,
    query,
    body,
    caller,
    now,
    store,
    dryRun: effects.dryRun,
    record: (change) => effects.changes.push(change),
    progress: request.onProgress ?? (() => {}),
    afterCommit: (work) => effects.afterCommit.push(work),
    match: matchVersion(ifMatch),
    etag(version) {
      shown = version;
      headers.etag = toEtag(version);
    },
    page({ total, next }) {
      if (total !== undefined) headers['x-total-count'] = String(total);
      if (next !== undefined) headers.link = `<${request.addressOf({ cursor: toCursor(next) })}>; rel="next"`;
    },
  });
  const status = effects.dryRun ? rehearsalStatus(operation) : successStatus(operation);
  return { answer: { status, headers, body: answer }, version: shown };
};

/** What a rehearsal made up is nobody's secret, and must not be taken for one. */
const withoutSecret = (answer: Answer, { secret }: Operation): Answer => {
  const headers = { ...answer.headers, 'dry-run': 'true' };
  if (secret === undefined) return { ...answer, headers };
  const body = answer.body as Record<string, unknown>;
  return { ...answer, headers, body: body[secret] === undefined ? body : { ...body, [secret]: '' } };
};
