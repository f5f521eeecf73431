import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { createEmptyDatabase } from './database.ts';
import { cleanEnvironment, cliFile, emptyDirectory, freePorts } from './server-process.ts';

/** How lines about the admin API reach it. */
export type Way = 'over HTTP' | 'with --config';

/** A directory with a configuration file and an empty database, where lines are typed into a shell. */
export const newPlace = async (way: Way) => {
  const directory = await emptyDirectory();
  const { dsn, drop } = await createEmptyDatabase();
  after(drop);
  const [token = 0, admin = 0, internal = 0] = await freePorts(3);
  const ports = { token, admin, internal };
  const config = join(directory, 'config.yaml');
  await writeFile(
    config,
    JSON.stringify({
      server: { issuer: `http://localhost:${token}`, address: `:${token}`, internal_address: `:${internal}` },
      admin: { address: `:${admin}` },
      storage: { driver: 'postgres', postgres: { dsn } },
      dcr: { approved_redirects: ['https://app.example.com/cb'] },
      xaa: { enabled: true },
    }),
  );
  await writeFile(join(directory, 'authserver'), `#!/bin/sh\nexec '${process.execPath}' '${cliFile}' "$@"\n`, {
    mode: 0o755,
  });
  const adminUrl = `http://localhost:${admin}`;
  const path = `${directory}:${process.env.PATH}`;
  let environment = cleanEnvironment({ PATH: path });

  const shell = (line: string, env = environment) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const child = execFile(
        '/bin/sh',
        ['-c', line],
        { cwd: directory, env, timeout: 120_000 },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
      child.stdin?.end();
    });
  /** Types a line of the page, which has to succeed; returns what it prints. */
  const types = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await shell(line);
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
    return stdout;
  };
  /** The same for a line under "admin". Where there is a choice between the two ways, this takes it. */
  const admins = (line: string): Promise<string> =>
    types(way === 'over HTTP' || /--config /.test(line) ? line : `${line} --config ${config}`);

  return {
    ...{ directory, config, ports, dsn, adminUrl, shell, types, admins },
    /** From now on there is a server, and the environment says what it takes to reach it. */
    serves(key: string): void {
      const reach = { AUTHPLANE_ADMIN_URL: adminUrl, AUTHPLANE_ADMIN_API_KEY: key };
      environment = cleanEnvironment({
        PATH: path,
        AUTHPLANE_ADMIN_API_KEY: key,
        ...(way === 'over HTTP' ? reach : {}),
      });
    },
    json: async (line: string) => JSON.parse(await admins(`${line} --json`)),
    /** A request of the page, by curl where there is one, as it is printed; returns what is answered. */
    curl: async (line: string): Promise<unknown> => {
      const printed = line.replaceAll('http://localhost:9001', adminUrl);
      const answer = (await hasCurl)
        ? (await shell(printed)).stdout
        : await fetched(printed, environment.AUTHPLANE_ADMIN_API_KEY ?? '');
      return answer === '' ? undefined : JSON.parse(answer);
    },
    sql: async (text: string, values: unknown[]) => {
      const connection = new pg.Client({ connectionString: dsn });
      await connection.connect();
      await connection.query(text, values).finally(() => connection.end());
    },
  };
};

const hasCurl = new Promise<boolean>((resolve) => {
  execFile('curl', ['--version'], (error) => resolve(!error));
});

/** The request a line with curl would make. */
const fetched = async (line: string, key: string): Promise<string> => {
  const url = /http:[^\s"']+/.exec(line)?.[0] ?? '';
  const headers = [...line.matchAll(/-H "([^:]+): ([^"]+)"/g)].map(([, name = '', value = '']): [string, string] => [
    name,
    value.replace('$AUTHPLANE_ADMIN_API_KEY', key),
  ]);
  const body = /-d '([^']*)'/.exec(line)?.[1];
  const method = /-X (\w+)/.exec(line)?.[1] ?? 'GET';
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  return response.text();
};
