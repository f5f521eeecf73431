import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { fromElsewhere, trustingLocalProxy } from '../support/client-assertion.ts';
import { denied, raw, read, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ env: trustingLocalProxy });
const user = await server.user();
const resource = await server.resource();
const app = await server.client({
  authMethod: 'client_secret_post',
  grantTypes: ['client_credentials', 'authorization_code', 'refresh_token'],
  ceiling: ['tools/read', 'tools/write'],
});
const form = 'application/x-www-form-urlencoded';
const endpoints = [
  '/oauth/token',
  '/oauth/introspect',
  '/oauth/revoke',
  '/oauth/register',
  '/oauth/par',
  '/oauth/authorize',
  '/login',
  '/consent',
  '/logout',
];
const send = (path: string, contentType: string | undefined, body: string | Buffer) =>
  raw(app.url(path), {
    method: 'POST',
    headers: { 'content-length': Buffer.byteLength(body), ...(contentType ? { 'content-type': contentType } : {}) },
    body,
  });

/** No fault of ours, and nothing of what was sent or of how we work in the answer. */
const harmless = ({ status, text }: { status: number; text: string }, name: string) => {
  assert.ok(status < 500, `${name}: ${status} ${text}`);
  assert.doesNotMatch(text, /node_modules|\.ts:\d|at async|postgres|select |insert /i, name);
};

for (const path of endpoints)
  test(`${path} refuses every media type but its own (RFC 9110 §15.5.16)`, async () => {
    const body = `client_id=${app.clientId}&client_secret=${app.clientSecret}&grant_type=client_credentials&token=x`;
    const own = path === '/oauth/register' ? 'application/json' : form;
    for (const type of [
      'text/plain',
      'multipart/form-data; boundary=x',
      'application/xml',
      'nonsense',
      form,
      'application/json',
    ])
      if (type !== own) {
        const answer = await send(path, type, type === 'application/json' ? '{"token":"x"}' : body);
        assert.ok([400, 415].includes(answer.status), `${type}: ${answer.status} ${answer.text}`);
        harmless(answer, type);
      }
    harmless(await send(path, undefined, ''), 'no body');
  });

test('JSON is not what the token endpoint speaks (RFC 6749 §3.2)', async () => {
  const body = { grant_type: 'client_credentials', client_id: app.clientId, client_secret: app.clientSecret };
  const answer = await fetch(app.url('/oauth/token'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  denied(await read(answer), 'invalid_request');
});

test('a form is read whatever its charset parameter says', async () => {
  const body = `grant_type=client_credentials&client_id=${app.clientId}&client_secret=${app.clientSecret}`;
  assert.equal((await send('/oauth/token', `${form}; charset=utf-8`, body)).status, 200);
  assert.equal((await send('/oauth/token', 'Application/X-WWW-Form-Urlencoded;charset=ISO-8859-1', body)).status, 200);
});

for (const path of endpoints)
  test(`${path} refuses a body that is too large (RFC 9110 §15.5.14) [threat L01]`, async () => {
    const json = path === '/oauth/register';
    const size = json ? 1024 * 1024 : 64 * 1024;
    const body = json ? `{"client_name":"${'x'.repeat(size)}"}` : `token=${'x'.repeat(size)}`;
    const answer = await send(path, json ? 'application/json' : form, body);
    assert.equal(answer.status, 413);
    if (path.startsWith('/oauth/') && path !== '/oauth/authorize')
      assert.equal(JSON.parse(answer.text).error, 'invalid_request');
  });

const values: Record<string, string> = {
  'a NUL': 'a\u0000b',
  'a NUL alone': '\u0000',
  'control characters': '\u0001\u001f\u007f\u0085',
  'a lone surrogate': '\ud800',
  'an encoded surrogate': '%ED%A0%80',
  'a line break': 'a\r\nset-cookie: x=1',
  'quotes and backslashes': '"\\\'`',
  markup: '<script>alert(1)</script>',
  SQL: "'; drop table users; --",
  'a template': '{{7*7}}<%= 7*7 %>',
  'a long text': 'x'.repeat(5000),
  'right-to-left override': '\u202egnp.exe',
  'another script': '日本語😀',
  'a name from the prototype': '__proto__',
};
const tokenFields = [
  'client_id',
  'client_secret',
  'grant_type',
  'code',
  'code_verifier',
  'redirect_uri',
  'refresh_token',
  'scope',
  'resource',
];
const authorizeFields = [
  'client_id',
  'redirect_uri',
  'response_type',
  'scope',
  'state',
  'resource',
  'code_challenge',
  'code_challenge_method',
  'request',
  'response_mode',
];

for (const [name, value] of Object.entries(values)) {
  test(`${name} in any parameter is the sender's fault, never ours [threat C13]`, async () => {
    for (const grant of ['authorization_code', 'refresh_token', 'client_credentials'])
      for (const field of tokenFields) {
        const request = {
          grant_type: grant,
          code: 'c',
          code_verifier: 'v'.repeat(43),
          redirect_uri: 'https://app.example.com/cb',
          refresh_token: 'r',
          [field]: value,
        };
        const answer = await app.token(request, 0, fromElsewhere());
        if (answer.status === 200) continue;
        assert.ok(answer.status === 400 || answer.status === 401, `${field}: ${answer.status}`);
        denied(answer, String(answer.body.error));
        if (value.length > 3) assert.ok(!JSON.stringify(answer.body).includes(value), `${field} is reflected`);
      }
    for (const field of authorizeFields) {
      const page = await app.start({ resource: resource.uri, [field]: value });
      harmless({ status: page.status, text: page.html }, field);
      assert.ok(!page.html.includes('<script'), field);
      assert.ok(!page.response.headers.has('set-cookie') || !page.location, field);
    }
    for (const path of ['/oauth/introspect', '/oauth/revoke'])
      for (const field of ['token', 'token_type_hint', 'client_id']) {
        const answer = await app.post(path, { token: 'x', [field]: value });
        assert.ok(answer.status < 500, `${path} ${field}: ${answer.status}`);
      }
    for (const path of ['/login', '/consent', '/oauth/return']) {
      const answer = await new TestBrowser().get(
        `${app.url(path)}?${new URLSearchParams({ request: value, to: value })}`,
      );
      harmless({ status: answer.status, text: answer.html }, path);
    }
  });

  test(`${name} as e-mail address or password is a failed sign-in`, async () => {
    const browser = new TestBrowser();
    const login = await browser.get(app.url('/login'));
    for (const person of [
      { ...user, email: value },
      { ...user, password: value },
    ]) {
      const answer = await signIn(browser, login, person);
      assert.equal(answer.status, 422);
      assert.ok(!answer.html.includes('<script'));
    }
  });

  test(`${name} in client metadata is accepted or refused, never a fault`, async () => {
    for (const field of [
      'client_name',
      'redirect_uris',
      'grant_types',
      'agent_description',
      'application_type',
      value,
    ]) {
      const metadata = {
        client_name: 'x',
        redirect_uris: ['https://a.example/cb'],
        [field]: field === 'redirect_uris' ? [value] : value,
      };
      const answer = await send('/oauth/register', 'application/json', JSON.stringify(metadata));
      assert.ok([201, 400].includes(answer.status), `${field}: ${answer.status} ${answer.text}`);
    }
  });
}

test('names from the prototype are ordinary names', async () => {
  for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__proto__[admin]']) {
    assert.equal((await app.clientCredentials({ [name]: 'x' })).status, 200, name);
    if (name !== '__proto__') denied(await app.clientCredentials({ [name]: ['x', 'y'] }), 'invalid_request');
    assert.ok((await app.start({ [name]: 'x', resource: resource.uri })).status === 303);
  }
  const polluted =
    '{"client_name":"x","redirect_uris":["https://a.example/cb"],"__proto__":{"grant_types":["client_credentials"]}}';
  const answer = await send('/oauth/register', 'application/json', polluted);
  assert.deepEqual(JSON.parse(answer.text).grant_types, ['authorization_code', 'refresh_token']);
});

test('ten thousand parameters, or one ten thousand times, cost no time [threat L01]', async () => {
  const many = Array.from({ length: 7_000 }, (_, index) => `p${index}=1`).join('&');
  for (const body of [many, 'a&'.repeat(32_000), 'resource=x&'.repeat(5_900)]) {
    const start = performance.now();
    const answer = await send('/oauth/token', form, body);
    assert.ok(answer.status === 400 || answer.status === 401, String(answer.status));
    // Quadratic work took over three seconds here; a slow machine stays far below one.
    assert.ok(performance.now() - start < 1_000, `${performance.now() - start} ms`);
  }
});

test('odd JSON documents are refused by the registration endpoint (RFC 7591 §3.2.2) [threat L01]', async () => {
  for (const body of [
    '',
    'null',
    '[]',
    '7',
    '"x"',
    '{',
    '{"a":1',
    '\u0000',
    '{"redirect_uris":{"length":1}}',
    `${'['.repeat(60_000)}`,
  ]) {
    const answer = await send('/oauth/register', 'application/json', body);
    assert.equal(answer.status, 400, `${body.slice(0, 20)}: ${answer.text}`);
    assert.match(JSON.parse(answer.text).error, /^invalid_(request|client_metadata|redirect_uri)$/);
  }
});

test('a compressed body is not unpacked [threat L01]', async () => {
  const answer = await raw(app.url('/oauth/token'), {
    method: 'POST',
    headers: { 'content-type': form, 'content-encoding': 'gzip' },
    body: Buffer.from('H4sIAAAAAAAA', 'base64'),
  });
  assert.ok(answer.status >= 400 && answer.status < 500);
});

test('malformed percent-encoding in a form is text like any other', async () => {
  for (const body of ['client_id=%', 'client_id=%zz', 'client_id=%E0%A4%A', '%=%&=&&&', 'client_id', '=x']) {
    const answer = await send('/oauth/token', form, body);
    denied({ ...answer, body: JSON.parse(answer.text) }, 'invalid_client');
  }
});
