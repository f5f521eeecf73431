import type { AuthServer } from './auth-server.ts';

/** Written beside requests, a moment later. */
const written = /^(connection_events|issuances)/;

const tablesOf = async (server: AuthServer): Promise<string[]> => {
  const tables = await server.sql<{ name: string }>(
    `select table_name as name from information_schema.tables
      where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`,
  );
  return tables.map(({ name }) => name);
};

/** Everything in the database that changes only when somebody changes it, as a digest a table. */
export const contentsOf = async (server: AuthServer): Promise<Record<string, string>> => {
  const tables = (await tablesOf(server)).filter((name) => !written.test(name));
  const digests = tables.map(async (name): Promise<[string, string]> => {
    const [row] = await server.sql<{ digest: string }>(
      `select count(*) || ' ' || coalesce(md5(string_agg(row::text, ',' order by row::text)), '') as digest
         from "${name}" as row`,
    );
    return [name, row?.digest ?? ''];
  });
  return Object.fromEntries(await Promise.all(digests));
};

/** The tables in which a text can be read. */
export const tablesWith = async (server: AuthServer, text: string): Promise<string[]> => {
  const found = (await tablesOf(server)).map(async (name) => {
    const rows = await server.sql(`select 1 from "${name}" as row where strpos(row::text, $1) > 0 limit 1`, [text]);
    return rows.length > 0 ? [name] : [];
  });
  return (await Promise.all(found)).flat();
};
