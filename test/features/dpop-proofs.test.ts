import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { base64url, CompactSign, calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { DpopKey, type ProofChanges } from '../support/dpop-key.ts';
import { denied, ok, raw } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const resource = await server.resource();
const app = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read', 'tools/write'],
});
const key = await DpopKey.create(server);
const now = () => Math.floor(server.clock.now().getTime() / 1000);
const ask = (header: Record<string, string>, pod = 0) => app.clientCredentials({ resource: resource.uri }, pod, header);
const askWith = async (changes: ProofChanges) => ask(await key.header(changes));
const usedProofs = async () =>
  Number((await server.sql(`select count(*) as n from single_use where kind = 'dpop_proof'`))[0]?.n);

for (const alg of ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'])
  test(`a proof by an ${alg} key binds the token to it [R9449-12 R9449-13 MDP-03]`, async () => {
    const own = await DpopKey.create(server, alg);
    const tokens = ok(await ask(await own.header()));
    assert.equal(tokens.token_type, 'DPoP');
    assert.deepEqual(decodeJwt(tokens.access_token).cnf, { jkt: own.jkt });
    const [row] = await server.sql('select dpop_jkt from issuances where id = $1', [
      decodeJwt(tokens.access_token).jti,
    ]);
    assert.equal(row?.dpop_jkt, own.jkt);
  });

test('without a proof the token is a bearer token, and no nonce is offered', async () => {
  const answer = await ask({});
  const tokens = ok(answer);
  assert.equal(tokens.token_type, 'Bearer');
  assert.equal(decodeJwt(tokens.access_token).cnf, undefined);
  assert.equal(answer.headers.get('dpop-nonce'), null);
});

const refusedClaims: [string, Record<string, unknown>][] = [
  ['without jti [R9449-02]', { jti: undefined }],
  ['with an empty jti [R9449-02]', { jti: '' }],
  ['with a jti that is no text [R9449-02]', { jti: 1 }],
  ['with a jti of 4 KB [threat E11]', { jti: 'j'.repeat(4096) }],
  ['without htm [R9449-02]', { htm: undefined }],
  ['for another method [R9449-07] [threat E04]', { htm: 'GET' }],
  ['for a method in lower case [R9449-07]', { htm: 'post' }],
  ['without htu [R9449-02]', { htu: undefined }],
  ['for another endpoint [R9449-08] [threat E04]', { htu: `${server.issuer}/oauth/introspect` }],
  ['for another host [R9449-08] [threat E04]', { htu: 'https://evil.test/oauth/token' }],
  ['for the second pod by its own address [threat E04]', { htu: `${server.pods[1]?.url}/oauth/token` }],
  ['with a trailing slash [R9449-08] [threat E04]', { htu: `${server.issuer}/oauth/token/` }],
  ['without iat [R9449-02]', { iat: undefined }],
  ['with an iat that is no number [R9449-02]', { iat: String(now()) }],
  ['an hour old [R9449-10]', { iat: now() - 3600 }],
  ['an hour ahead [R9449-10]', { iat: now() + 3600 }],
  ['just too old [R9449-10]', { iat: now() - 63 }],
  ['just too far ahead [R9449-10]', { iat: now() + 63 }],
  ['that has expired by its own word', { exp: now() - 3600 }],
];
for (const [what, claims] of refusedClaims)
  test(`a proof ${what} is refused [R9449-22]`, async () => denied(await askWith({ claims }), 'invalid_dpop_proof'));

const privateJwk = await exportJWK(key.privateKey);
const other = await DpopKey.create(server);
const refusedHeaders: [string, Record<string, unknown>][] = [
  ['without typ [R9449-02 R9449-03]', { typ: undefined }],
  ['of another typ [R9449-03]', { typ: 'JWT' }],
  ['of typ at+jwt [R9449-03]', { typ: 'at+jwt' }],
  ['without jwk [R9449-02]', { jwk: undefined }],
  ['with a jwk that is no object', { jwk: 'key' }],
  ['with an empty jwk', { jwk: {} }],
  ['signed by another key [R9449-05]', { jwk: other.publicJwk }],
  ['with the private key in it [R9449-06]', { jwk: privateJwk }],
  ['with a private member in it [R9449-06]', { jwk: { ...key.publicJwk, d: 'AA' } }],
  ['with a coordinate that is off the curve', { jwk: { ...key.publicJwk, y: key.publicJwk.x } }],
  ['with a padded coordinate', { jwk: { ...key.publicJwk, x: `${key.publicJwk.x}=` } }],
];
for (const [what, header] of refusedHeaders)
  test(`a proof ${what} is refused [R9449-22]`, async () => denied(await askWith({ header }), 'invalid_dpop_proof'));

test('a proof with an extension that must be understood is refused (RFC 7515 §4.1.11)', async () => {
  const signing = new SignJWT(decodeJwt(await key.proof())).setProtectedHeader({
    typ: 'dpop+jwt',
    alg: 'ES256',
    jwk: key.publicJwk,
    crit: ['unheard-of'],
    'unheard-of': true,
  });
  denied(
    await ask({ dpop: await signing.sign(key.privateKey, { crit: { 'unheard-of': true } }) }),
    'invalid_dpop_proof',
  );
});

test('unsigned and symmetrically signed proofs are refused [R9449-04]', async () => {
  const [, payload] = (await key.proof()).split('.');
  const none = base64url.encode(JSON.stringify({ typ: 'dpop+jwt', alg: 'none', jwk: key.publicJwk }));
  for (const dpop of [`${none}.${payload}.`, `${none}.${payload}.AAAA`])
    denied(await ask({ dpop }), 'invalid_dpop_proof');
  const secret = Buffer.from(JSON.stringify(key.publicJwk));
  for (const alg of ['HS256', 'HS384', 'HS512']) {
    const header = { typ: 'dpop+jwt', alg, jwk: key.publicJwk };
    const signed = await new CompactSign(Buffer.from(payload as string, 'base64url'))
      .setProtectedHeader(header)
      .sign(Buffer.concat([secret, secret]));
    denied(await ask({ dpop: signed }), 'invalid_dpop_proof');
  }
  const octets = { kty: 'oct', k: base64url.encode('a secret that everybody can read in the header') };
  denied(await askWith({ header: { jwk: octets } }), 'invalid_dpop_proof');
});

test('algorithms and keys outside the list are refused [R9449-04]', async () => {
  for (const alg of ['ES512', 'RS512', 'PS384']) {
    const own = await DpopKey.create(server, alg);
    denied(await ask(await own.header()), 'invalid_dpop_proof');
  }
  const p384 = await DpopKey.create(server, 'ES384');
  denied(await ask(await p384.header({ header: { alg: 'ES384', jwk: key.publicJwk } })), 'invalid_dpop_proof');
  denied(await askWith({ header: { jwk: p384.publicJwk } }), 'invalid_dpop_proof');
});

test('a short RSA key is refused (RFC 7518 §3.3)', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const jwk = publicKey.export({ format: 'jwk' });
  const header = base64url.encode(JSON.stringify({ typ: 'dpop+jwt', alg: 'RS256', jwk }));
  const [, payload] = (await key.proof()).split('.');
  const signature = sign('sha256', Buffer.from(`${header}.${payload}`), privateKey).toString('base64url');
  denied(await ask({ dpop: `${header}.${payload}.${signature}` }), 'invalid_dpop_proof');
});

test('what is not exactly one compact JWT is refused [R9449-01 R9449-02]', async () => {
  const proof = await key.proof();
  const [header, payload, signature] = proof.split('.');
  const json = JSON.stringify({ protected: header, payload, signature });
  for (const dpop of [
    '',
    'x',
    '..',
    'a.b.c',
    `${header}.${payload}`,
    `${proof}.x`,
    `${proof}=`,
    `Bearer ${proof}`,
    `${proof} ${proof}`,
    `${proof},${await key.proof()}`,
    json,
    `${base64url.encode('[]')}.${payload}.${signature}`,
    `${base64url.encode('null')}.${payload}.${signature}`,
    `${header}.${base64url.encode('[]')}.${signature}`,
    `${header}.${base64url.encode('{}')}.${signature}`,
    `${header}.${payload}.${'A'.repeat(9000)}`,
  ])
    denied(await ask({ dpop }), 'invalid_dpop_proof');
});

test('two DPoP headers are refused, even equal ones [R9449-01]', async () => {
  const proof = await key.proof();
  for (const dpop of [
    [proof, await key.proof()],
    [proof, proof],
    [proof, ''],
  ]) {
    const answer = await raw(`${server.issuer}/oauth/token`, {
      method: 'POST',
      headers: { authorization: app.basic(), 'content-type': 'application/x-www-form-urlencoded', dpop },
      body: 'grant_type=client_credentials',
    });
    assert.equal(answer.status, 400);
    assert.equal(JSON.parse(answer.text).error, 'invalid_dpop_proof');
  }
  ok(await ask({ dpop: proof }));
});

test('htu is compared without query and fragment, and in normal form [R9449-08] [threat E04]', async () => {
  const { host, port } = new URL(server.issuer);
  for (const htu of [
    `${server.issuer}/oauth/token?x=1`,
    `${server.issuer}/oauth/token#x`,
    `HTTP://${host.toUpperCase()}/oauth/token`,
    `http://localhost:0${port}/oauth/%74oken`,
    `http://localhost:${port}/x/../oauth/token`,
  ])
    ok(await askWith({ claims: { htu } }));
});

test('request headers have no say in what htu is compared with [threat E04]', async () => {
  const forged = {
    host: 'evil.test',
    'x-forwarded-host': 'evil.test',
    'x-forwarded-proto': 'https',
    forwarded: 'host=evil.test;proto=https',
  };
  for (const htu of ['https://evil.test/oauth/token', 'http://evil.test/oauth/token']) {
    const answer = await raw(`${server.issuer}/oauth/token`, {
      method: 'POST',
      headers: {
        authorization: app.basic(),
        'content-type': 'application/x-www-form-urlencoded',
        ...(await key.header({ claims: { htu } })),
        ...forged,
      },
      body: 'grant_type=client_credentials',
    });
    assert.equal(JSON.parse(answer.text).error, 'invalid_dpop_proof');
  }
});

test('a proof may be as old, or as far ahead, as the window is wide [R9449-10]', async () => {
  for (const iat of [now() - 57, now() + 57, now() + 0.5]) ok(await askWith({ claims: { iat } }));
});

test('members nobody asked for are tolerated: content_digest, ath, a kid in the key [MDP-04]', async () => {
  ok(await askWith({ claims: { content_digest: 'sha-256=:AA:', ath: 'x', nbf: now() } }));
  ok(await askWith({ header: { jwk: { ...key.publicJwk, kid: 'k', use: 'sig', alg: 'ES256', key_ops: ['verify'] } } }));
  ok(await askWith({ header: { typ: 'application/DPoP+JWT' } }));
});

test('the thumbprint counts the key, not what is written beside it', async () => {
  const jwk = { ...key.publicJwk, kid: 'another name' };
  const { access_token } = ok(await askWith({ header: { jwk } }));
  assert.deepEqual(decodeJwt(access_token).cnf, { jkt: await calculateJwkThumbprint(key.publicJwk) });
});

test('a proof is good once, on whichever pod [R9449-11] [threat E01]', async () => {
  const header = await key.header();
  ok(await ask(header, 0));
  denied(await ask(header, 1), 'invalid_dpop_proof');
  denied(await ask(header, 0), 'invalid_dpop_proof');
});

test('of a hundred uses of one proof over two pods, one succeeds [R9449-11] [threat E01]', async () => {
  const header = await key.header();
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(header, index % 2)));
  const good = answers.filter(({ status }) => status === 200);
  assert.equal(good.length, 1);
  for (const answer of answers) if (answer.status !== 200) denied(answer, 'invalid_dpop_proof');
});

test('a proof from the future is remembered for as long as it is good [threat E02]', async () => {
  const header = await key.header({ claims: { iat: now() + 55 } });
  ok(await ask(header));
  for (const seconds of [50, 50, 10]) {
    server.clock.advance(seconds);
    denied(await ask(header, 1), 'invalid_dpop_proof');
  }
});

test('nobody can use up the jti of somebody else [threat E03]', async () => {
  const jti = 'the next jti of the victim';
  const attacker = await DpopKey.create(server);
  ok(await ask(await attacker.header({ claims: { jti } })));
  ok(await askWith({ claims: { jti } }));
});

test('any text will do as jti, and none of it is kept [threat E11]', async () => {
  for (const jti of ['\0', '\ud800', "'; drop table single_use --", 'é', 'x'.repeat(256)]) {
    const header = await key.header({ claims: { jti: JSON.parse(JSON.stringify(jti)) } });
    ok(await ask(header));
    denied(await ask(header), 'invalid_dpop_proof');
  }
});

test('a request that is refused for something else leaves no row and costs no proof [threat E11]', async () => {
  const before = await usedProofs();
  const header = await key.header();
  denied(await app.clientCredentials({ scope: 'unheard/of' }, 0, header), 'invalid_scope');
  denied(await app.clientCredentials({ resource: 'https://unknown.example' }, 0, header), 'invalid_target');
  denied(await app.token({ grant_type: 'unheard-of' }, 0, header), 'unsupported_grant_type');
  const stranger = await server.client();
  denied(await stranger.refresh('A'.repeat(43), {}, 0, header), 'invalid_grant');
  denied(await askWith({ claims: { iat: 0 } }), 'invalid_dpop_proof');
  assert.equal(await usedProofs(), before);
  ok(await ask(header));
});

test('who may not ask is told so first: a proof is no client authentication', async () => {
  const wrong = { ...(await key.header()), authorization: `Basic ${btoa(`${app.clientId}:wrong`)}` };
  denied(await ask(wrong), 'invalid_client');
});

test('valid and rejected proofs are counted', async () => {
  const read = async () => ({
    valid: await server.metric('authplane_dpop_proofs_validated_total'),
    invalid: await server.metric('authplane_dpop_proofs_rejected_total', { reason: 'invalid_proof' }),
    replay: await server.metric('authplane_dpop_proofs_rejected_total', { reason: 'replay' }),
  });
  const before = await read();
  const header = await key.header();
  ok(await ask(header));
  denied(await ask(header), 'invalid_dpop_proof');
  denied(await ask({ dpop: 'x' }), 'invalid_dpop_proof');
  assert.deepEqual(await read(), {
    valid: before.valid + 2,
    invalid: before.invalid + 1,
    replay: before.replay + 1,
  });
});

test('the proof in the example of RFC 9449, of 2019, is too old [R9449-10]', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const proof = await new SignJWT({
    jti: '-BwC3ESc6acc2lTc',
    htm: 'POST',
    htu: `${server.issuer}/oauth/token`,
    iat: 1562262616,
  })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await exportJWK(publicKey) })
    .sign(privateKey);
  denied(await ask({ dpop: proof }), 'invalid_dpop_proof');
});
