import pg from 'pg';
import type { Database, Queryable, Row } from '../db.ts';
import { toStoreError } from '../errors.ts';
import type { AuditEvent } from '../runtime/audit-events.ts';

export type Session = Database & {
  /** Ends the statement that is under way, if there is one. */
  cancel(): Promise<void>;
};

export type SessionOptions = {
  dsn: string;
  applicationName: string;
  onQuery?: ((operation: string, seconds: number) => void) | undefined;
  /** Told of every audit event of this session, once it is committed. */
  onAudited?: ((event: AuditEvent) => void) | undefined;
};

/**
 * One connection, for work that holds a session lock: when it breaks, the lock is gone and every later statement fails.
 *
 * It waits for nobody's lock for long, and its commits do not wait for the disk. What a crash loses is a few deletions, which come again.
 */
export const openSession = async ({ dsn, applicationName, onQuery, onAudited }: SessionOptions): Promise<Session> => {
  const connection = new pg.Client({
    connectionString: dsn,
    application_name: applicationName,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    idle_in_transaction_session_timeout: 30_000,
    statement_timeout: 0,
  });
  connection.on('error', () => {}); // the statement that is under way fails, and says so
  try {
    await connection.connect();
    await connection.query(`set synchronous_commit = off; set lock_timeout = '2s'`);
  } catch (error) {
    await connection.end().catch(() => {});
    throw toStoreError(error);
  }

  const on: Queryable = {
    async query<R extends Row>(operation: string, text: string, values: readonly unknown[] = []) {
      const start = performance.now();
      try {
        const { rows, rowCount } = await connection.query({ name: operation, text, values: values as unknown[] });
        return { rows: rows as R[], rowCount: rowCount ?? 0 };
      } catch (error) {
        throw toStoreError(error);
      } finally {
        onQuery?.(operation, (performance.now() - start) / 1000);
      }
    },
  };
  const pid = (await on.query<{ pid: number }>('session_pid', 'select pg_backend_pid() as pid')).rows[0]?.pid;

  const passOn = (events: readonly AuditEvent[]): void => {
    if (onAudited) events.forEach(onAudited);
  };

  return {
    ...on,
    audited: passOn,
    async transaction(work) {
      await on.query('begin', 'begin isolation level read committed');
      try {
        const events: AuditEvent[] = [];
        const result = await work({ ...on, audited: (more) => events.push(...more) });
        await on.query('commit', 'commit');
        passOn(events);
        return result;
      } catch (error) {
        await on.query('rollback', 'rollback').catch(() => {});
        throw error;
      }
    },
    async cancel() {
      const other = new pg.Client({ connectionString: dsn, connectionTimeoutMillis: 2_000 });
      other.on('error', () => {});
      try {
        await other.connect();
        await other.query('select pg_cancel_backend($1)', [pid]);
      } finally {
        await other.end();
      }
    },
    end: () => connection.end(),
  };
};
