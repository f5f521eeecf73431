import type {
  AdminRole,
  Entities,
  OnProgress,
  Operation,
  OperationOutput,
  PathParams,
  queryOf,
} from '@authserver/admin-api';
import type { ChangeKind } from '@authserver/events';
import type { Repositories } from '@authserver/store';
import type { AuditAction } from '@authserver/telemetry';
import type { z } from 'zod';

/** Who asks, for the audit trail, and what they may do. */
export type Caller = {
  actorId: string;
  role: AdminRole;
  /** Absent for the configured key. */
  key?: { id: string; label: string } | undefined;
  ip: string | undefined;
  userAgent: string | undefined;
  requestId: string | undefined;
};

/** What an operation did, as the audit trail keeps it, and what the token plane looks up again. */
export type Change = {
  action: AuditAction;
  /** The row the token plane may have in a cache; absent when it keeps none. */
  feed?: { kind: ChangeKind; key: string };
  clientId?: string | undefined;
  /** What was and what is. Never a secret. */
  details: Record<string, unknown>;
};

export type Call = {
  caller: Caller;
  now: Date;
  /** For a change one transaction, which is committed when the handler has answered; for a look, and in parts, the pool. */
  store: Repositories;
  /** The change will be undone. Only what is not in the database has to ask. */
  dryRun: boolean;
  /** Notes a change. It is written as the last thing in the transaction, because the feed's lock orders all changes. */
  record: (change: Change) => void;
  /** Does what cannot be undone, such as counting, once the change is committed; never in a dry run. */
  afterCommit: (work: () => unknown) => void;
  /**
   * The version of the row that is about to change; to be called with what was read in this transaction.
   * @throws {Problem} `precondition_failed` when the caller's `If-Match` names another
   */
  match: (version: number) => void;
  /** The version of the row that is shown; becomes `ETag`. */
  etag: (version: number) => void;
  /** What a list holds beside the rows shown: how many there are, and where to go on. */
  page: (list: { total?: number | undefined; next?: string | undefined }) => void;
  /** How far work is that takes long, for whoever watches. */
  progress: OnProgress;
};

type Inputs<O extends Operation> = {
  params: { [Name in PathParams<O['path']>]: string };
  query: O extends { query: infer Q extends z.ZodType } ? z.output<Q> : z.output<ReturnType<typeof queryOf>>;
  body: O extends { body: infer B extends z.ZodType } ? z.output<B> : undefined;
};

/** Does one operation of the admin API: its inputs are checked already, its answer is what the table says. */
export type Handler<O extends Operation> = (input: Inputs<O> & Call) => Promise<OperationOutput<O>>;

export type HandlersOf<E extends keyof Entities> = {
  [O in keyof Entities[E]['operations']]: Entities[E]['operations'][O] extends infer Op extends Operation
    ? Handler<Op>
    : never;
};

/** One handler for every operation of the table: a row without one does not compile. */
export type Handlers = { [E in keyof Entities]: HandlersOf<E> };
