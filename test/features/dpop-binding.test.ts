import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { denied, deniedByRedirect, ok, type Tokens } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const app = await server.client();
const confidential = await server.client({ authMethod: 'client_secret_basic' });
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const [k1, k2] = [await DpopKey.create(server), await DpopKey.create(server, 'Ed25519')];

const bound = async (client = app, key = k1): Promise<Tokens> =>
  ok(await client.redeem(await client.code(wishes), {}, 0, await key.header()));
const cnfOf = ({ access_token }: Tokens) => decodeJwt(access_token).cnf;
const familiesRevoked = async () =>
  Number((await server.sql('select count(*) as n from token_families where revoked_at is not null'))[0]?.n);

test('a code redeemed with a proof gives a bound token and says so everywhere [R9449-12 R9449-13]', async () => {
  const tokens = await bound();
  assert.equal(tokens.token_type, 'DPoP');
  assert.deepEqual(cnfOf(tokens), { jkt: k1.jkt });
});

test('introspection names the key and the token type [R9449-13 R7662-09] [threat E10]', async () => {
  const { body } = await guard.introspect((await bound()).access_token, 1);
  assert.equal(body.active, true);
  assert.equal(body.token_type, 'DPoP');
  assert.deepEqual(body.cnf, { jkt: k1.jkt });
  const plain = await guard.introspect((await app.authorize(wishes)).access_token);
  assert.equal(plain.body.token_type, 'Bearer');
  assert.equal(plain.body.cnf, undefined);
});

test('introspection of a bound refresh token names its key', async () => {
  const tokens = ok(await confidential.redeem(await confidential.code(wishes)));
  assert.equal((await confidential.introspect(tokens.refresh_token)).body.cnf, undefined);
  await server.sql('update token_families set dpop_jkt = $1 where client_id = $2', [k1.jkt, confidential.clientId]);
  const { body } = await confidential.introspect(tokens.refresh_token);
  assert.equal(body.token_type, 'refresh_token');
  assert.deepEqual(body.cnf, { jkt: k1.jkt });
});

test('a refresh token of a public client needs its key, and a wrong one costs nothing [R9449-14] [threat E09]', async () => {
  const { refresh_token } = await bound();
  const before = await familiesRevoked();
  denied(await app.refresh(refresh_token), 'invalid_grant');
  denied(await app.refresh(refresh_token, {}, 1, await k2.header()), 'invalid_grant');
  denied(await app.refresh(refresh_token, {}, 0, { dpop: 'x' }), 'invalid_dpop_proof');
  assert.equal(await familiesRevoked(), before);
  const next = ok(await app.refresh(refresh_token, {}, 1, await k1.header()));
  assert.deepEqual(cnfOf(next), { jkt: k1.jkt });
  denied(await app.refresh(next.refresh_token, {}, 0, await k2.header()), 'invalid_grant');
  ok(await app.refresh(next.refresh_token, {}, 0, await k1.header()));
});

test('a confidential client may change keys, and go without (RFC 9449 §5)', async () => {
  const first = await bound(confidential);
  const second = ok(await confidential.refresh(first.refresh_token, {}, 0, await k2.header()));
  assert.deepEqual(cnfOf(second), { jkt: k2.jkt });
  const third = ok(await confidential.refresh(second.refresh_token));
  assert.equal(third.token_type, 'Bearer');
});

test('a public client that begins to prove its key is bound from there on [R9449-14]', async () => {
  const first = await app.authorize(wishes);
  const second = ok(await app.refresh(first.refresh_token, {}, 0, await k1.header()));
  denied(await app.refresh(second.refresh_token, {}, 1, await k2.header()), 'invalid_grant');
  denied(await app.refresh(second.refresh_token), 'invalid_grant');
  ok(await app.refresh(second.refresh_token, {}, 1, await k1.header()));
});

test('twenty first proofs at once over two pods get one successor, bound to the key', async () => {
  const { refresh_token } = await app.authorize(wishes);
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => app.refresh(refresh_token, {}, index % 2, await k1.header())),
  );
  assert.equal(new Set(answers.map((answer) => ok(answer).refresh_token)).size, 1);
  for (const answer of answers) assert.deepEqual(cnfOf(ok(answer)), { jkt: k1.jkt });
  const successor = ok(answers[0] as (typeof answers)[0]).refresh_token;
  denied(await app.refresh(successor), 'invalid_grant');
  ok(await app.refresh(successor, {}, 0, await k1.header()));
});

test('a repeat with the same key gets the same successor; with another key, or none, it is theft [threat D03]', async () => {
  const first = await bound();
  const second = ok(await app.refresh(first.refresh_token, {}, 0, await k1.header()));
  const repeated = ok(await app.refresh(first.refresh_token, {}, 1, await k1.header()));
  assert.equal(repeated.refresh_token, second.refresh_token);
  denied(await app.refresh(first.refresh_token, {}, 1, await k2.header()), 'invalid_grant');
  denied(await app.refresh(second.refresh_token, {}, 0, await k1.header()), 'invalid_grant');

  const other = await bound();
  const next = ok(await app.refresh(other.refresh_token, {}, 0, await k1.header()));
  denied(await app.refresh(other.refresh_token), 'invalid_grant');
  denied(await app.refresh(next.refresh_token, {}, 0, await k1.header()), 'invalid_grant');
});

test('of a hundred refreshes with one proof over two pods, one succeeds, and the family lives [threat E01]', async () => {
  const { refresh_token } = await bound();
  const header = await k1.header();
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => app.refresh(refresh_token, {}, index % 2, header)),
  );
  const good = answers.filter(({ status }) => status === 200);
  assert.equal(good.length, 1);
  for (const answer of answers) if (answer.status !== 200) denied(answer, 'invalid_dpop_proof');
  ok(await app.refresh(ok(good[0] as (typeof good)[0]).refresh_token, {}, 0, await k1.header()));
});

test('a recorded request sent again is refused, and neither code nor family suffers [R9449-11] [threat E01]', async () => {
  const grant = await app.code(wishes);
  const atCode = await k1.header();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => app.redeem(grant, {}, index % 2, atCode)));
  const [first] = answers.filter(({ status }) => status === 200);
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  denied(await app.redeem(grant, {}, 1, atCode), 'invalid_dpop_proof');
  const { refresh_token } = ok(first as NonNullable<typeof first>);
  const atRefresh = await k1.header();
  const second = ok(await app.refresh(refresh_token, {}, 0, atRefresh));
  server.clock.advance(15); // beyond the reuse window, within the life of the proof
  denied(await app.refresh(refresh_token, {}, 1, atRefresh), 'invalid_dpop_proof');
  ok(await app.refresh(second.refresh_token, {}, 0, await k1.header()));
});

test('a code replayed with a proof of its own ends what it produced (RFC 6749 §4.1.2)', async () => {
  const grant = await app.code(wishes);
  const { refresh_token } = ok(await app.redeem(grant, {}, 0, await k1.header()));
  denied(await app.redeem(grant, {}, 1, await k2.header()), 'invalid_grant');
  denied(await app.refresh(refresh_token, {}, 0, await k1.header()), 'invalid_grant');
});

test('a code asked for with dpop_jkt needs that key; a wrong one costs nothing [R9449-19] [threat E07]', async () => {
  const grant = await app.code({ ...wishes, params: { dpop_jkt: k1.jkt } });
  denied(await app.redeem(grant), 'invalid_grant');
  denied(await app.redeem(grant, {}, 1, await k2.header()), 'invalid_grant');
  denied(await app.redeem(grant, {}, 0, { dpop: 'x' }), 'invalid_dpop_proof');
  const tokens = ok(await app.redeem(grant, {}, 1, await k1.header()));
  assert.deepEqual(cnfOf(tokens), { jkt: k1.jkt });
});

test('a code of a confidential client is bound as well [R9449-19]', async () => {
  const grant = await confidential.code({ ...wishes, params: { dpop_jkt: k1.jkt } });
  denied(await confidential.redeem(grant), 'invalid_grant');
  denied(await confidential.redeem(grant, {}, 0, await k2.header()), 'invalid_grant');
  ok(await confidential.redeem(grant, {}, 0, await k1.header()));
});

test('a dpop_jkt that is no thumbprint is refused at the authorization endpoint', async () => {
  for (const dpop_jkt of ['x', `${k1.jkt}=`, 'A'.repeat(44), 'A'.repeat(5000)])
    deniedByRedirect(await app.start({ ...wishes, user: undefined, dpop_jkt }), app, 'invalid_request', server.issuer);
  deniedByRedirect(
    await app.start({ dpop_jkt: [k1.jkt, k2.jkt], scope: 'tools/read' }),
    app,
    'invalid_request',
    server.issuer,
  );
});

test('a wrong verifier, then the right one, with one and the same proof: nothing was spent', async () => {
  const grant = await app.code(wishes);
  const header = await k1.header();
  denied(await app.redeem(grant, { code_verifier: 'x'.repeat(43) }, 0, header), 'invalid_grant');
  denied(await app.redeem(grant, { redirect_uri: 'https://app.example.com/other' }, 1, header), 'invalid_grant');
  ok(await app.redeem(grant, {}, 1, header));
});
