/**
 * What the machine can do at best: bare Fastify handlers that compare one constant secret, sign with ES256 and commit the
 * rows an operation needs, in one statement for many requests, before they answer with the headers the RFCs want. No
 * validation beyond that, no policy, no metrics, no log. Environment: PORT, DSN, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI,
 * DOCUMENTS (texts by path, as JSON).
 */
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign, timingSafeEqual, verify } from 'node:crypto';
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { createBatches, openPool, sent } from './batches.ts';
import { hash, statements } from './tables.ts';

const { PORT, DSN, CLIENT_ID = '', CLIENT_SECRET = '', REDIRECT_URI = '', DOCUMENTS = '{}' } = process.env;
const issuer = `http://localhost:${PORT}`;
const batches = createBatches(openPool(DSN));
type Found = { n: string; user_id: string };
const ofRequest = (rows: Record<string, unknown>[], at: number) =>
  (rows as Found[]).find(({ n }) => Number(n) === at + 1);
const issue = batches('ceiling_issue', statements.issue, () => true);
const isLive = batches('ceiling_is_live', statements.isLive, (rows, _at, [id]) => rows.some((row) => row.id === id));
const insertCode = batches('ceiling_insert_codes', statements.insertCodes, ofRequest);
const redeemCode = batches('ceiling_redeem', statements.redeem, ofRequest);
const rotate = batches('ceiling_rotate', statements.rotate, ofRequest);

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = 'ceiling-ceiling-ceilin';
const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid })).toString('base64url');
const secretHash = hash(CLIENT_SECRET);

const authenticate = (request: FastifyRequest): boolean => {
  const pair = Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64').toString();
  const colon = pair.indexOf(':');
  return pair.slice(0, colon) === CLIENT_ID && timingSafeEqual(hash(pair.slice(colon + 1)), secretHash);
};

const signToken = (id: string, subject: string): string => {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    sub: subject,
    aud: ['http://localhost:3000/mcp'],
    client_id: CLIENT_ID,
    scope: 'tools/read',
    jti: id,
    iat: now,
    nbf: now,
    exp: now + 3600,
  };
  const input = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
};

const app = Fastify();
app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
  done(null, Object.fromEntries(new URLSearchParams(body as string))),
);
const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' };
const refuse = (reply: FastifyReply, error: string, status = 400) =>
  reply.code(status).headers(noStore).send({ error });

app.post('/oauth/token', async (request, reply) => {
  if (!authenticate(request)) return refuse(reply, 'invalid_client', 401);
  const params = request.body as Record<string, string>;
  const id = randomUUID();
  const answer = (accessToken: string, refreshToken?: string) =>
    reply.headers(noStore).send({
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: 3600,
      refresh_token: refreshToken,
      scope: 'tools/read',
    });
  if (params.grant_type === 'client_credentials') {
    const committed = issue(id, CLIENT_ID, 'tools/read', new Date().toISOString());
    const token = signToken(id, CLIENT_ID);
    await committed;
    return answer(token);
  }
  const successor = randomBytes(32).toString('base64url');
  const redeemed =
    params.grant_type === 'refresh_token'
      ? await rotate(hash(params.refresh_token ?? ''), hash(successor), id, CLIENT_ID)
      : await redeemCode(hash(params.code ?? ''), challengeOf(params), hash(successor), id, CLIENT_ID);
  return redeemed ? answer(signToken(id, redeemed.user_id), successor) : refuse(reply, 'invalid_grant');
});

const challengeOf = ({ code_verifier: verifier = '' }: Record<string, string>): string =>
  createHash('sha256').update(verifier).digest('base64url');

app.get('/oauth/authorize', async (request, reply) => {
  const query = request.query as Record<string, string>;
  const session = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
  if (query.client_id !== CLIENT_ID || query.redirect_uri !== REDIRECT_URI) return refuse(reply, 'invalid_request');
  const code = randomBytes(32).toString('base64url');
  if (!(await insertCode(hash(session), hash(code), query.code_challenge ?? '')))
    return refuse(reply, 'login_required');
  const response = new URLSearchParams({ code, state: query.state ?? '', iss: issuer });
  return reply
    .code(303)
    .headers({ ...noStore, location: `${REDIRECT_URI}?${response}` })
    .send();
});

app.post('/oauth/introspect', async (request, reply) => {
  if (!authenticate(request)) return refuse(reply, 'invalid_client', 401);
  const [head, payload = '', signature = ''] = ((request.body as Record<string, string>).token ?? '').split('.');
  const good =
    head === header &&
    verify(
      'sha256',
      Buffer.from(`${head}.${payload}`),
      { key: publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
  const claims = good ? JSON.parse(Buffer.from(payload, 'base64url').toString()) : { exp: 0 };
  const active = claims.exp > Date.now() / 1000 && (await isLive(claims.jti));
  return reply.headers(noStore).send(active ? { active, ...claims, token_type: 'Bearer' } : { active: false });
});

for (const [path, document] of Object.entries(JSON.parse(DOCUMENTS) as Record<string, string>))
  app.get(path, (_request, reply) => {
    reply.headers({ 'cache-control': 'public, max-age=300', 'content-type': 'application/json' }).send(document);
  });
app.get('/statements', async () => String(sent.statements));

await app.listen({ port: Number(PORT), host: '127.0.0.1' });
