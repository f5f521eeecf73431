/**
 * What the machine can do at best: a bare Fastify handler that checks a secret, signs an ES256 JWT and commits one row
 * (grouped) before it answers. Arguments: port, DSN, secret.
 */
import { createHash, generateKeyPairSync, randomUUID, sign, timingSafeEqual } from 'node:crypto';
import Fastify from 'fastify';
import pg from 'pg';

const [port, dsn, secret = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: dsn, max: 4 });
await pool.query(`create table if not exists ceiling_rows (
  id uuid primary key, client_id text not null, scope text not null, issued_at timestamptz not null)`);

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'ceiling' })).toString('base64url');
const secretHash = createHash('sha256').update(secret).digest();

type Row = { id: string; clientId: string; scope: string; issuedAt: string; done: (error?: Error) => void };
let queue: Row[] = [];
let inFlight = 0;
const flush = (): void => {
  while (queue.length > 0 && inFlight < 2) {
    const batch = queue.slice(0, 256);
    queue = queue.slice(256);
    inFlight += 1;
    pool
      .query({
        name: 'ceiling_insert',
        text: 'insert into ceiling_rows select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])',
        values: [
          batch.map((row) => row.id),
          batch.map((row) => row.clientId),
          batch.map((row) => row.scope),
          batch.map((row) => row.issuedAt),
        ],
      })
      .then(
        () => batch.map((row) => row.done()),
        (error: Error) => batch.map((row) => row.done(error)),
      )
      .finally(() => {
        inFlight -= 1;
        flush();
      });
  }
};

const app = Fastify();
app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
  done(null, Object.fromEntries(new URLSearchParams(body as string))),
);
app.post('/oauth/token', async (request, reply) => {
  const pair = Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64')
    .toString()
    .split(':');
  const given = createHash('sha256')
    .update(pair[1] ?? '')
    .digest();
  if (!timingSafeEqual(given, secretHash)) return reply.code(401).send({ error: 'invalid_client' });
  const now = Date.now();
  const id = randomUUID();
  const claims = {
    iss: 'ceiling',
    sub: pair[0],
    aud: ['ceiling'],
    client_id: pair[0],
    scope: 'tools/read',
    jti: id,
    iat: Math.floor(now / 1000),
    exp: Math.floor(now / 1000) + 3600,
  };
  const input = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  const stored = new Promise<void>((resolve, reject) => {
    const done = (error?: Error) => (error ? reject(error) : resolve());
    queue.push({ id, clientId: pair[0] ?? '', scope: 'tools/read', issuedAt: new Date(now).toISOString(), done });
    if (inFlight < 2 && queue.length === 1) setImmediate(flush);
  });
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  await stored;
  return { access_token: `${input}.${signature.toString('base64url')}`, token_type: 'Bearer', expires_in: 3600 };
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
process.stdout.write('ready\n');
