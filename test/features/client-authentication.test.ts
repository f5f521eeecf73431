import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { type Answer, denied, type Form, ok, postForm, raw, type TestApp } from '../support/test-app.ts';

const server: AuthServer = await startAuthServer();
const machine = (authMethod: 'client_secret_basic' | 'client_secret_post') =>
  server.client({ authMethod, grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
const basic = await machine('client_secret_basic');
const post = await machine('client_secret_post');
const open = await server.client();

const encoded = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
const credentials = (app: TestApp): Form => ({ client_id: app.clientId, client_secret: app.clientSecret });
const token = (form: Form, authorization?: string): Promise<Answer> =>
  postForm(
    basic.url('/oauth/token'),
    { grant_type: 'client_credentials', ...form },
    authorization === undefined ? {} : { authorization },
  );

test('a client proves itself by the method it registered (RFC 6749 §2.3.1) [MCC-04 O21-14]', async () => {
  ok(await basic.clientCredentials());
  ok(await post.clientCredentials());
  ok(await token({ client_id: basic.clientId }, basic.basic()));
});

test('the scheme is not case sensitive, and both halves may be form-encoded (RFC 6749 §2.3.1, RFC 9110 §11.1) [R6749-01]', async () => {
  ok(await token({}, basic.basic().replace('Basic', 'bAsIc')));
  const hex = (text: string) => [...text].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('');
  ok(await token({}, encoded(hex(basic.clientId), hex(basic.clientSecret ?? ''))));
});

const ambiguous: Record<string, () => Promise<Answer>> = {
  'Basic and another client_id': () => token({ client_id: post.clientId }, basic.basic()),
  'Basic and a client_secret': () => token(credentials(basic), basic.basic()),
  'Basic and the secret of another client': () => token(credentials(post), basic.basic()),
  'Basic and a client assertion': () => token({ client_assertion: 'a.b.c' }, basic.basic()),
  'a client assertion and a client_secret': () => token({ client_assertion: 'a.b.c', ...credentials(post) }),
  'another scheme and a client_secret': () => token(credentials(post), 'Bearer abc'),
  'two Authorization headers': async () => {
    const answer = await raw(basic.url('/oauth/token'), {
      method: 'POST',
      headers: [
        ['host', new URL(server.issuer).host],
        ['content-type', 'application/x-www-form-urlencoded'],
        ['authorization', basic.basic()],
        ['authorization', encoded(post.clientId, post.clientSecret ?? '')],
      ].flat(),
      body: 'grant_type=client_credentials',
    });
    return { ...answer, body: JSON.parse(answer.text) };
  },
};
for (const [name, send] of Object.entries(ambiguous))
  test(`two identities in one request are one too many: ${name} (RFC 6749 §2.3) [O21-13] [threat C03]`, async () => {
    denied(await send(), 'invalid_request');
  });

const wrong: Record<string, () => Promise<Answer>> = {
  'no credentials at all': () => token({}),
  'an unknown client': () => token({}, encoded('client_nobody', 'x'.repeat(43))),
  'a wrong secret': () => token({}, encoded(basic.clientId, 'x'.repeat(43))),
  'an empty secret': () => token({}, encoded(basic.clientId, '')),
  'no secret': () => token({ client_id: basic.clientId }),
  'an empty client_secret': () => token({ client_id: post.clientId, client_secret: '' }),
  'Basic for a post client': () => token({}, encoded(post.clientId, post.clientSecret ?? '')),
  'post for a Basic client': () => token(credentials(basic)),
  'a secret from a public client': () => token({ client_id: open.clientId, client_secret: 'x' }),
  'Basic from a public client': () => token({}, encoded(open.clientId, '')),
  'a client assertion': () =>
    token({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: 'a.b.c',
    }),
  'another scheme': () => token({}, 'Bearer abc'),
  'Basic without base64': () => token({}, 'Basic ***'),
  'Basic without colon': () => token({}, `Basic ${Buffer.from('nocolon').toString('base64')}`),
  'Basic without id': () => token({}, encoded('', 'secret')),
  'Basic with broken form-encoding': () => token({}, encoded('%zz', '%')),
  'Basic with a NUL': () => token({}, encoded('client%00', 'a')),
  'a NUL in client_id': () => token({ client_id: 'client\u0000', client_secret: 'a' }),
  'a client_id as long as the form allows': () => token({ client_id: 'x'.repeat(60_000), client_secret: 'a' }),
};
for (const [name, send] of Object.entries(wrong))
  test(`${name} is invalid_client with a challenge (RFC 6749 §5.2) [O21-05 O21-25 O21-26 O21-31] [threat C04]`, async () => {
    const answer = await send();
    denied(answer, 'invalid_client');
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic realm=/);
  });

test('an unknown, a mistaken and a suspended client cannot be told apart (RFC 6749 §5.2) [threat C10]', async () => {
  const suspended = await machine('client_secret_post');
  await server.change('client', suspended.clientId, (tx) =>
    tx.clients.setStatus(suspended.clientId, ['active'], 'suspended'),
  );
  for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/introspect']) {
    const ask = (client_id: string, client_secret = 'x'.repeat(43)) =>
      postForm(post.url(path), { client_id, client_secret, token: 'x', grant_type: 'client_credentials' });
    const [unknown, mistaken, blocked] = [
      await ask('client_nobody'),
      await ask(post.clientId),
      await ask(suspended.clientId, suspended.clientSecret),
    ];
    denied(unknown, 'invalid_client');
    assert.deepEqual(mistaken.body, unknown.body);
    assert.deepEqual(blocked.body, unknown.body);
    const names = ({ headers }: Answer) => [...headers.keys()].sort();
    assert.deepEqual(names(mistaken), names(unknown));
    assert.deepEqual(names(blocked), names(unknown));
  }
});

test('time does not tell a known client from an unknown one [threat C10]', async () => {
  const median = async (clientId: () => string) => {
    const times: number[] = [];
    for (let n = 0; n < 60; n += 1) {
      const start = performance.now();
      await token({ client_id: clientId(), client_secret: 'x'.repeat(43) });
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[30] as number;
  };
  const known = await median(() => post.clientId);
  const unknown = await median(() => 'client_nobody_at_all');
  assert.ok(Math.abs(known - unknown) < 5, `${known} ms and ${unknown} ms`);
});

test('a client cannot choose an id, and a machine is never taken for a user (RFC 9068 §5) [O21-66 R9068-11] [threat C11]', async () => {
  const { id } = await server.user();
  const answer = await fetch(post.url('/oauth/register'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: id, client_name: 'x', redirect_uris: ['https://a.example/'] }),
  });
  const registered = (await answer.json()) as { client_id: string };
  assert.equal(answer.status, 201);
  assert.notEqual(registered.client_id, id);
  const claims = decodeJwt(ok(await post.clientCredentials()).access_token);
  assert.equal(claims.sub, post.clientId);
  assert.equal(claims.client_id, claims.sub);
  assert.match(String(claims.sub), /^client_/);
  const told = ok(await post.introspect(ok(await post.clientCredentials()).access_token));
  assert.deepEqual([told.sub, told.client_id, told.username], [post.clientId, post.clientId, undefined]);
  assert.doesNotMatch(id, /^client_/);
});
