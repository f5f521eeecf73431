import { randomBytes } from 'node:crypto';
import { freePort } from '@authserver/cli/embedded-postgres';
import pg from 'pg';
import { createTables, hash } from '../ceiling/tables.ts';
import { serverCore, startServer } from '../machine.ts';
import {
  basic,
  paths,
  plansFor,
  redirectUri,
  resource,
  type Subject,
  type SubjectOptions,
  scope,
  tokenFrom,
} from './subject.ts';

const client = { id: '018f4f5e-0000-7000-8000-000000000000', secret: randomBytes(32).toString('base64url') };

/** The least each operation can cost here: see `ceiling/server.ts`. Its documents are those of the server, as they are. */
export const startCeiling = async ({
  dsn,
  people,
  documents,
}: SubjectOptions & { documents: Readonly<Record<string, string>> }): Promise<Subject> => {
  const port = await freePort();
  const pool = new pg.Pool({ connectionString: dsn, max: 1 });
  await createTables(pool);
  const random = () => Array.from({ length: people }, () => randomBytes(32).toString('base64url'));
  const [sessions, refreshTokens] = [random(), random()];
  const expiresAt = new Date(Date.now() + 24 * 3600_000);
  await pool.query(
    'insert into ceiling_sessions (hash, user_id, expires_at) select h, gen_random_uuid(), $2 from unnest($1::bytea[]) as h',
    [sessions.map(hash), expiresAt],
  );
  await pool.query(
    'insert into ceiling_refresh_tokens (hash, user_id, expires_at) select h, gen_random_uuid(), $2 from unnest($1::bytea[]) as h',
    [refreshTokens.map(hash), expiresAt],
  );
  await pool.end();
  const server = await startServer({
    args: ['--max-semi-space-size=8', 'test/bench/ceiling/server.ts'],
    env: {
      PORT: String(port),
      DSN: dsn,
      CLIENT_ID: client.id,
      CLIENT_SECRET: client.secret,
      REDIRECT_URI: redirectUri,
      DOCUMENTS: JSON.stringify(documents),
    },
    core: serverCore,
    readyUrl: `http://localhost:${port}${paths.jwks}`,
  });
  const authorization = basic(client);
  const accessTokens: string[] = [];
  for (let index = 0; index < people; index += 1)
    accessTokens.push(
      (await tokenFrom(port, authorization, { grant_type: 'client_credentials', scope, resource })).access_token,
    );
  const cookies = sessions.map((session) => `session=${session}`);
  return {
    name: 'ceiling',
    server,
    port,
    plans: plansFor({ clientId: client.id, authorization, cookies, refreshTokens, accessTokens }),
    statements: async () => Number(await (await fetch(`http://localhost:${port}/statements`)).text()),
  };
};
