import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Queryable } from './db.ts';
import { toStoreError } from './errors.ts';

export type Migration = { version: number; name: string; sql: string; checksum: string };
export type MigrationPlan = { applied: string[]; pending: string[] };

/** Where the numbered files are: beside this package, or beside the bundle that was made of it. */
const directory = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../migrations/' : './migrations/', import.meta.url),
);

/** Only one process migrates; the others wait for it here. */
const lockKey = '7237912384500';

export const readMigrations = async (from = directory): Promise<Migration[]> => {
  const names = (await readdir(from)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (file) => {
      const sql = await readFile(join(from, file), 'utf8');
      const checksum = createHash('sha256').update(sql).digest('hex');
      return { version: Number(file.slice(0, 4)), name: file.slice(0, -'.sql'.length), sql, checksum };
    }),
  );
};

/** What is applied and what is not. Changes nothing, not even on an empty database. */
export const planMigrations = async (dsn: string): Promise<MigrationPlan> =>
  withConnection(dsn, async (connection) => {
    const migrations = await readMigrations();
    return toPlan(migrations, await appliedChecksums(connection));
  });

/** What of this release a running process still has to do without. @throws {Error} as `migrate` */
export const pendingMigrations = async (db: Queryable): Promise<string[]> => {
  const { rows } = await db.query<{ version: number; name: string; checksum: string }>(
    'migrations_applied',
    'select version, name, checksum from schema_migrations',
  );
  ownMigrations ??= readMigrations();
  return toPlan(await ownMigrations, new Map(rows.map((row) => [row.version, row]))).pending;
};

/** The files do not change under a running process, which is asked about them every few seconds. */
let ownMigrations: Promise<Migration[]> | undefined;

/**
 * Applies what is pending, each file in its own transaction, and returns the names that this call applied.
 *
 * Any number of processes may call this at once: one works, the others wait for the advisory lock and then find nothing
 * to do. A statement that does not get its table lock soon lets go and comes again: whoever needs the table queues behind it,
 * and pods that serve give up waiting after 900 ms.
 *
 * @throws {Error} when an applied file was edited afterwards, or the database has one in our range that we do not know
 */
export const migrate = async (dsn: string, onApply: (name: string) => void = () => {}): Promise<string[]> =>
  withConnection(dsn, async (connection) => {
    const migrations = await readMigrations();
    await connection.query(`select pg_advisory_lock(${lockKey})`);
    try {
      await connection.query(`create table if not exists schema_migrations (
        version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`);
      const { pending } = toPlan(migrations, await appliedChecksums(connection));
      for (const migration of migrations.filter(({ name }) => pending.includes(name))) {
        onApply(migration.name);
        await apply(connection, migration);
      }
      // A database that is known to be empty gets plans that read whole tables, and prepared statements keep them.
      if (pending.length > 0 && pending.length < migrations.length) await connection.query('analyze');
      return pending;
    } finally {
      await connection.query(`select pg_advisory_unlock(${lockKey})`).catch(() => {});
    }
  });

/** Less than what a statement of a pod waits, so that a migration which waits for its lock makes nobody fail. */
const lockTimeoutMs = 400;
const lockPauseMs = 400;
const lockPatienceMs = 5_000;
/** lock_not_available, deadlock_detected (PostgreSQL, appendix A) */
const inTheWay = ['55P03', '40P01'];

const apply = async (connection: pg.Client, migration: Migration): Promise<void> => {
  const started = performance.now();
  for (;;) {
    try {
      await connection.query('begin');
      await connection.query(`set local lock_timeout = ${lockTimeoutMs}`);
      await connection.query(migration.sql);
      await connection.query('insert into schema_migrations (version, name, checksum) values ($1, $2, $3)', [
        migration.version,
        migration.name,
        migration.checksum,
      ]);
      await connection.query('commit');
      return;
    } catch (cause) {
      await connection.query('rollback').catch(() => {});
      const { code, message } = cause as pg.DatabaseError;
      if (!inTheWay.includes(code ?? '') || performance.now() - started > lockPatienceMs)
        throw new Error(`migration ${migration.name} failed: ${message}`, {
          cause: toStoreError(cause), // a lock it did not get in time may be free at the next attempt
        });
      await sleep(lockPauseMs);
    }
  }
};

const appliedChecksums = async (connection: pg.Client): Promise<Map<number, { name: string; checksum: string }>> => {
  const { rows: found } = await connection.query(`select to_regclass('schema_migrations') is not null as there`);
  if (!found[0]?.there) return new Map();
  const { rows } = await connection.query('select version, name, checksum from schema_migrations');
  return new Map(rows.map((row) => [row.version, row]));
};

const toPlan = (migrations: Migration[], applied: Map<number, { name: string; checksum: string }>): MigrationPlan => {
  for (const { version, name, checksum } of migrations) {
    const known = applied.get(version);
    if (known && known.checksum !== checksum)
      throw new Error(`migration ${name} was edited after it was applied; migrations only go forward, add a new one`);
  }
  const newest = migrations.at(-1)?.version ?? 0;
  const unknown = [...applied].filter(([version]) => !migrations.some((migration) => migration.version === version));
  // A newer release may run beside us during a rolling upgrade: its additions are ahead of us, never inside our range.
  if (unknown.some(([version]) => version < newest))
    throw new Error(
      `the database has a migration this release does not know: ${unknown.map(([, row]) => row.name).join(', ')}`,
    );
  return {
    applied: [...applied.values()].map((row) => row.name).sort(),
    pending: migrations.filter(({ version }) => !applied.has(version)).map(({ name }) => name),
  };
};

const withConnection = async <T>(dsn: string, work: (connection: pg.Client) => Promise<T>): Promise<T> => {
  const connection = new pg.Client({
    connectionString: dsn,
    application_name: 'authserver migrate',
    connectionTimeoutMillis: 5_000,
    keepAlive: true, // whoever waits for the lock may wait for a process that is gone
  });
  connection.on('error', () => {});
  try {
    await connection.connect();
  } catch (error) {
    const { host, port } = connection;
    throw new Error(`cannot connect to PostgreSQL at ${host}:${port}: ${describe(error)}`, {
      cause: toStoreError(error),
    });
  }
  try {
    return await work(connection);
  } catch (error) {
    throw (error as Error).cause === undefined ? toStoreError(error) : error; // a connection that is lost may be had again
  } finally {
    await connection.end();
  }
};

/** Node joins the failures of several addresses into one error without a message. */
const describe = (error: unknown): string => {
  const { message, code, errors } = error as NodeJS.ErrnoException & { errors?: Error[] };
  return message || errors?.map((each) => each.message).join(', ') || code || 'unknown error';
};
