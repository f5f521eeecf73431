import { inSpan, type SpanOptions } from '@authserver/telemetry';
import pg from 'pg';
import { StoreUnavailable, toStoreError } from './errors.ts';
import type { AuditEvent } from './runtime/audit-events.ts';
import { isUuid } from './uuid.ts';

export type Row = Record<string, unknown>;
export type Result<R> = { rows: R[]; rowCount: number };

/**
 * Something statements run on: the pool, or one transaction.
 *
 * `operation` names the statement in metrics and is the name it is prepared under, so it is unique per text. One that is
 * made of parts, or whose best plan depends on the values, is `planned: 'anew'` each time and not prepared.
 */
export type Queryable = {
  query<R extends Row = Row>(
    operation: string,
    text: string,
    values?: readonly unknown[],
    options?: { planned?: 'anew' },
  ): Promise<Result<R>>;
  /** Told of events that were written here: passed on once they are committed, and never if they are not. */
  audited?(events: readonly AuditEvent[]): void;
};

export type Database = Queryable & {
  /** Runs `work` in one transaction: committed when it resolves, rolled back when it throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  end(): Promise<void>;
};

export type DatabasePool = Database & {
  /** Its connections at this moment, and how many wait for one. */
  connections(): { inUse: number; idle: number; waiting: number; max: number };
};

export type DatabaseOptions = {
  dsn: string;
  maxConnections: number;
  minConnections?: number;
  idleTimeoutSeconds?: number;
  maxLifetimeSeconds?: number;
  applicationName: string;
  /** Longest wait for the answer to one statement, in milliseconds; 900 by default. */
  queryTimeoutMs?: number;
  /**
   * Every statement looks its rows up by key, whatever the values, and is planned once. While tables are small, reading them
   * whole is the cheaper plan, and a prepared statement keeps it while they grow; such plans are not made here.
   */
  byKey?: boolean;
  /** Told the time of every statement, waiting for a connection included. */
  onQuery?: (operation: string, seconds: number) => void;
  /** Told of every audit event of this database, once it is committed. */
  onAudited?: ((event: AuditEvent) => void) | undefined;
};

/** Which rows of a list: from the start or behind `after`, a position this list gave out, some skipped. */
export type Page = { limit: number; offset: number; after?: string | undefined };

/** A position in a list in the order of its UUIDs. A position of another list is behind everything. */
export const uuidOrLast = (position: string): string =>
  isUuid(position) ? position : 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** The same of a list that goes from the newest to the oldest. */
export const uuidOrFirst = (position: string): string =>
  isUuid(position) ? position : '00000000-0000-0000-0000-000000000000';

/** `after` of a list in the order of its UUIDs, for a statement that serves the first page as well. */
export const afterUuid = ({ after }: Page): string | null => (after === undefined ? null : uuidOrLast(after));

/** Rows of a list; `next` is the position to go on from, absent on the last page. */
export type Paged<T> = { rows: T[]; total: number | undefined; next: string | undefined };

/** A page from a query that asked for one row more than the page holds, which is how it knows that there are more. */
export const toPaged = <T>(
  rows: readonly T[],
  page: Page,
  { positionOf, total }: { positionOf: (last: T) => string; total?: number | undefined },
): Paged<T> => {
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return { rows: shown, total, next: last !== undefined && rows.length > page.limit ? positionOf(last) : undefined };
};

/** The count that every row of a page carries; unknown when the page lies behind the last row. */
export const totalOf = (rows: readonly Row[], page: { offset: number }): number | undefined =>
  rows[0] ? Number(rows[0].total) : page.offset === 0 ? 0 : undefined;

/** A span has the name of a statement. Neither its text nor its values are told, and no error of PostgreSQL's: it quotes rows. */
export const statementSpan: SpanOptions = { kind: 'client', attributes: { 'db.system.name': 'postgresql' } };

/**
 * A prepared statement gets one plan for all values. Left to itself PostgreSQL plans a shared statement anew each time while
 * few share it: it takes the plan for a few values for so much cheaper, and the planning takes longer than the rest.
 * Where no index fits, a sequential scan then looks so dear that it would be compiled first, for most of a second.
 */
const plannedByKey = `set plan_cache_mode = force_generic_plan; set jit = off;
  set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off`;

/** Longest wait for a connection, in milliseconds: a free one of the pool, or a new one. */
const connectMs = 900;

/**
 * The pool. A caller never waits long: no connection or no answer within 900 ms, both together, is `StoreUnavailable`,
 * which becomes 503 with `Retry-After`. The connection that did not answer is thrown away.
 */
export const openDatabase = (options: DatabaseOptions): DatabasePool => {
  const answerMs = options.queryTimeoutMs ?? 900;
  const pool = new pg.Pool({
    connectionString: options.dsn,
    max: options.maxConnections,
    min: options.minConnections ?? 0,
    idleTimeoutMillis: (options.idleTimeoutSeconds ?? 1800) * 1000,
    maxLifetimeSeconds: options.maxLifetimeSeconds ?? 3600,
    connectionTimeoutMillis: connectMs,
    application_name: options.applicationName,
    // The server gives up on its own as well, so that a statement nobody waits for does not go on.
    statement_timeout: answerMs,
    query_timeout: answerMs,
    // A process cut off in the middle of a transaction must not keep its locks until TCP gives up.
    idle_in_transaction_session_timeout: Math.max(3_000, (options.queryTimeoutMs ?? 0) * 2),
    keepAlive: true,
    ...(options.byKey ? { onConnect: (connection: pg.ClientBase) => connection.query(plannedByKey) } : {}),
  });
  // A connection that breaks while idle is reported here and replaced by the pool; unheard, it would end the process.
  pool.on('error', () => {});
  // One that breaks between two statements of a transaction tells the connection itself. The next statement then fails.
  pool.on('connect', (connection) => connection.on('error', () => {}));

  const timed = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    try {
      return await inSpan(operation, work, statementSpan);
    } catch (error) {
      throw toStoreError(error);
    } finally {
      options.onQuery?.(operation, (performance.now() - start) / 1000);
    }
  };

  /** The pool reckons the wait for its turn and the wait for the server apart; a caller waits for both. */
  const connect = async (): Promise<pg.PoolClient> => {
    if (pool.idleCount > pool.waitingCount) return pool.connect();
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('timeout exceeded when trying to connect')), connectMs);
    const connecting = pool.connect();
    try {
      return await Promise.race([connecting, tooLate]);
    } catch (error) {
      connecting.then((late) => late.release()).catch(() => {});
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };

  /** The time for an answer, for who has waited for the connection since `start`. */
  const limitSince = (start: number): { query_timeout?: number } => {
    const waitedMs = performance.now() - start;
    return waitedMs < 50 ? {} : { query_timeout: Math.max(100, answerMs - waitedMs) };
  };

  /** One statement on whichever connection is free, which is given back. */
  const runAlone = async (config: pg.QueryConfig): Promise<pg.QueryResult> => {
    const start = performance.now();
    const connection = await connect();
    let broken: Error | undefined;
    try {
      return await connection.query({ ...config, ...limitSince(start) });
    } catch (error) {
      if (toStoreError(error) instanceof StoreUnavailable) broken = error as Error;
      throw error;
    } finally {
      connection.release(broken);
    }
  };

  const passOn = (events: readonly AuditEvent[]): void => {
    if (options.onAudited) events.forEach(options.onAudited);
  };

  const on = (runner: { query: (config: pg.QueryConfig) => Promise<pg.QueryResult> }): Queryable => ({
    query: <R extends Row>(
      operation: string,
      text: string,
      values: readonly unknown[] = [],
      options: { planned?: 'anew' } = {},
    ) =>
      timed(operation, async () => {
        const name = options.planned === 'anew' ? {} : { name: operation };
        const { rows, rowCount } = await runner.query({ ...name, text, values: values as unknown[] });
        return { rows: rows as R[], rowCount: rowCount ?? 0 };
      }),
  });

  return {
    ...on({ query: runAlone }),
    audited: passOn,
    async transaction(work) {
      const start = performance.now();
      const connection = await timed('connect', connect);
      let broken: Error | undefined;
      try {
        const begin = { text: 'begin isolation level read committed', ...limitSince(start) };
        await timed('begin', () => connection.query(begin));
        const events: AuditEvent[] = [];
        const result = await work({ ...on(connection), audited: (more) => events.push(...more) });
        const { command } = await timed('commit', () => connection.query('commit'));
        // What `work` caught may have ended the transaction, and PostgreSQL then answers a commit with a rollback.
        if (command !== 'COMMIT') throw new Error('the transaction had failed before it was committed');
        passOn(events);
        return result;
      } catch (error) {
        // On a connection that does not answer nobody waits for one more: the server rolls back when it is gone.
        if (error instanceof StoreUnavailable) broken = error;
        else
          await connection.query('rollback').catch((cause: Error) => {
            broken = cause;
          });
        throw error;
      } finally {
        connection.release(broken);
      }
    },
    connections: () => ({
      inUse: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      // The pool counts everybody who has just come, also whom it serves at once. A scrape asks the database itself.
      waiting: Math.max(0, pool.waitingCount - pool.idleCount - (options.maxConnections - pool.totalCount)),
      max: options.maxConnections,
    }),
    end: () => pool.end(),
  };
};
