import pg from 'pg';

const CONNECT_TIMEOUT_MS = 2_000;
const NO_SUCH_DATABASE = '3D000';
const DUPLICATE_DATABASE = '42P04';

/** The DSN of a database of the embedded server. */
export function dsnOf(port: number, password: string, database = 'authserver'): string {
  return `postgres://authserver:${password}@127.0.0.1:${port}/${database}`;
}

/** The data directory of the server on this port; undefined when nobody there accepts the password. */
export async function servedDirectory(port: number, password: string): Promise<string | undefined> {
  try {
    return await withClient(dsnOf(port, password, 'postgres'), async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('show data_directory');
      return rows[0]?.data_directory;
    });
  } catch {
    return undefined;
  }
}

/** Logs in to the database `authserver`, and creates it first when a new cluster does not have it yet. */
export async function ensureDatabase(port: number, password: string): Promise<void> {
  try {
    await withClient(dsnOf(port, password), async () => {});
  } catch (error) {
    if ((error as pg.DatabaseError).code !== NO_SUCH_DATABASE) throw error;
    await withClient(dsnOf(port, password, 'postgres'), async (client) => {
      await client.query('create database authserver').catch((cause: pg.DatabaseError) => {
        if (cause.code !== DUPLICATE_DATABASE) throw cause; // else another process was first
      });
    });
  }
}

async function withClient<Result>(dsn: string, use: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: dsn, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => {}); // a query in flight rejects with the same error
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
