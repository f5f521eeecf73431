import { createHash, randomBytes } from 'node:crypto';
import { ensurePartitions, migrate, openDatabase, readMigrations } from '@authserver/store';
import pg from 'pg';
import { postgres } from './services.ts';

/** A migrated database of its own for a test file, cloned from a template that is made once for each schema. */
export const createDatabase = async (): Promise<{ dsn: string; drop: () => Promise<void> }> => {
  const { adminDsn } = await postgres();
  const template = await ensureTemplate(adminDsn);
  const name = `authserver_test_${randomBytes(6).toString('hex')}`;
  await onServer(adminDsn, async (connection) => {
    await connection.query(`select pg_advisory_lock_shared(${templateLock})`);
    await connection.query(`create database ${name} template ${template}`);
  });
  return {
    dsn: withDatabase(adminDsn, name),
    drop: () =>
      onServer(adminDsn, (connection) => connection.query(`drop database if exists ${name} with (force)`)).then(
        () => {},
      ),
  };
};

/** An empty database, for tests of the migrations themselves. */
export const createEmptyDatabase = async (): Promise<{ dsn: string; drop: () => Promise<void> }> => {
  const { adminDsn } = await postgres();
  const name = `authserver_test_${randomBytes(6).toString('hex')}`;
  await onServer(adminDsn, (connection) => connection.query(`create database ${name}`));
  return {
    dsn: withDatabase(adminDsn, name),
    drop: () =>
      onServer(adminDsn, (connection) => connection.query(`drop database if exists ${name} with (force)`)).then(
        () => {},
      ),
  };
};

const templateLock = 72379123845;

const ensureTemplate = async (adminDsn: string): Promise<string> => {
  const migrations = await readMigrations();
  const sum = createHash('sha256')
    .update(migrations.map(({ checksum }) => checksum).join())
    .digest('hex')
    .slice(0, 12);
  const month = new Date().toISOString().slice(0, 7).replace('-', '');
  const name = `authserver_template_${sum}_${month}`;
  await onServer(adminDsn, async (connection) => {
    const exists = async () =>
      (await connection.query('select 1 from pg_database where datname = $1', [name])).rowCount === 1;
    if (await exists()) return;
    await connection.query(`select pg_advisory_lock(${templateLock})`); // released when the connection closes
    if (await exists()) return;
    const making = `${name}_making`;
    await connection.query(`drop database if exists ${making} with (force)`);
    await connection.query(`create database ${making}`);
    const dsn = withDatabase(adminDsn, making);
    await migrate(dsn);
    const database = openDatabase({
      ...{ dsn, maxConnections: 1, applicationName: 'authserver test template', queryTimeoutMs: 30_000 },
    });
    await ensurePartitions(database, new Date());
    await database.end();
    await connection.query(`alter database ${making} rename to ${name}`);
  });
  return name;
};

const onServer = async <T>(dsn: string, work: (connection: pg.Client) => Promise<T>): Promise<T> => {
  const connection = new pg.Client({ connectionString: dsn, connectionTimeoutMillis: 5_000 });
  await connection.connect();
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
};

const withDatabase = (dsn: string, name: string): string => {
  const url = new URL(dsn);
  url.pathname = `/${name}`;
  return url.href;
};
