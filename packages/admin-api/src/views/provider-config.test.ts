import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProviderProtocol, readConfigData } from './provider-config.ts';

const oauth = {
  client_id: 'id-at-github',
  authorize_url: 'https://github.com/login/oauth/authorize',
  token_url: 'https://github.com/login/oauth/access_token',
};
const account = { client_secret_ref: 'CONNECTOR_SA_KEY', issuer: 'sa@example.com', token_url: 'https://a.example/t' };

const good: [what: string, protocol: ProviderProtocol, given: object, kept?: object][] = [
  ['what oauth needs', 'oauth', oauth],
  [
    'everything oauth may have',
    'oauth',
    {
      ...oauth,
      client_secret_ref: 'AUTHPLANE_VAULT_GITHUB',
      revoke_url: 'http://localhost:4000/revoke',
      response_format: 'form',
      extra_auth_params: { access_type: 'offline', prompt: 'consent', audience: 'api.example.com' },
    },
  ],
  ['http on this machine', 'oauth', { ...oauth, token_url: 'http://127.0.0.1:1/t', authorize_url: 'http://[::1]/a' }],
  ['nothing for api_key', 'api_key', {}],
  ['a header for api_key', 'api_key', { header_name: 'X-Api-Key', header_prefix: 'Token ' }],
  ['what service_account needs', 'service_account', account],
  ['all of service_account', 'service_account', { ...account, algorithm: 'ES256', ttl_seconds: 300 }],
  [
    'client_secret_env, as it was called once',
    'oauth',
    { ...oauth, client_secret_env: 'CONNECTOR_X' },
    { ...oauth, client_secret_ref: 'CONNECTOR_X' },
  ],
  ['sa_key_env beside the same new name', 'service_account', { ...account, sa_key_env: 'CONNECTOR_SA_KEY' }, account],
];
for (const [what, protocol, given, kept = given] of good)
  test(`${what} is kept`, () => {
    assert.deepEqual(readConfigData(protocol, given as Record<string, unknown>), { data: kept, problems: [] });
  });

const canary = 'canary-7f3a';
const bad: [what: string, protocol: ProviderProtocol, given: object, member: string, says: RegExp][] = [
  ['oauth without token_url', 'oauth', { ...oauth, token_url: undefined }, 'token_url', /./],
  ['oauth without client_id', 'oauth', { ...oauth, client_id: '' }, 'client_id', /./],
  ['a member nobody knows', 'oauth', { ...oauth, tokenurl: 'x' }, '', /tokenurl/],
  ['a member of another protocol', 'api_key', { client_id: 'x' }, '', /client_id/],
  ['http elsewhere', 'oauth', { ...oauth, token_url: 'http://169.254.169.254/' }, 'token_url', /https/],
  ['a host that only looks local', 'oauth', { ...oauth, token_url: 'http://localhost.evil/' }, 'token_url', /https/],
  ['a file', 'oauth', { ...oauth, token_url: 'file:///etc/passwd' }, 'token_url', /https/],
  ['user info in a URL', 'oauth', { ...oauth, authorize_url: 'https://a:b@c.example/' }, 'authorize_url', /user info/],
  ['a fragment', 'oauth', { ...oauth, revoke_url: 'https://c.example/#x' }, 'revoke_url', /fragment/],
  ['a number as URL', 'oauth', { ...oauth, token_url: 7 }, 'token_url', /./],
  [
    'the session secret',
    'oauth',
    { ...oauth, client_secret_ref: 'AUTHPLANE_SESSION_SECRET' },
    'client_secret_ref',
    /CONNECTOR_/,
  ],
  ['a name in lower case', 'oauth', { ...oauth, client_secret_ref: 'connector_x' }, 'client_secret_ref', /CONNECTOR_/],
  ['a bare prefix', 'oauth', { ...oauth, client_secret_ref: 'CONNECTOR_' }, 'client_secret_ref', /CONNECTOR_/],
  [
    'two names that differ',
    'oauth',
    { ...oauth, client_secret_ref: 'CONNECTOR_A', client_secret_env: 'CONNECTOR_B' },
    'client_secret_env',
    /old name/,
  ],
  ['a secret written out', 'oauth', { ...oauth, client_secret: canary }, 'client_secret', /client_secret_ref/],
  ['any other secret', 'oauth', { ...oauth, webhook_secret: canary }, 'webhook_secret', /client_secret_ref/],
  ['a password', 'api_key', { proxy_password: canary }, 'proxy_password', /client_secret_ref/],
  ['a private key', 'service_account', { ...account, private_key: canary }, 'private_key', /client_secret_ref/],
  [
    'a key by any name',
    'service_account',
    { ...account, issuer: `-----BEGIN ${canary}` },
    'issuer',
    /client_secret_ref/,
  ],
  [
    'a key deep inside',
    'oauth',
    { ...oauth, extra_auth_params: { x: `-----BEGIN ${canary}` } },
    'extra_auth_params',
    /client_secret_ref/,
  ],
  [
    'a parameter that is ours',
    'oauth',
    { ...oauth, extra_auth_params: { redirect_uri: 'x' } },
    'extra_auth_params.redirect_uri',
    /server itself/,
  ],
  [
    'the same in other letters',
    'oauth',
    { ...oauth, extra_auth_params: { State: 'x' } },
    'extra_auth_params.State',
    /server itself/,
  ],
  [
    'a secret among parameters',
    'oauth',
    { ...oauth, extra_auth_params: { app_secret: canary } },
    'extra_auth_params.app_secret',
    /secret/,
  ],
  ['a parameter that is a number', 'oauth', { ...oauth, extra_auth_params: { a: 1 } }, 'extra_auth_params.a', /./],
  ['an unknown format', 'oauth', { ...oauth, response_format: 'slack' }, 'response_format', /standard/],
  ['a header name with a colon', 'api_key', { header_name: 'X:Y' }, 'header_name', /header/],
  ['a header prefix with a line break', 'api_key', { header_prefix: 'a\r\nb' }, 'header_prefix', /control/],
  [
    'service_account without a key',
    'service_account',
    { ...account, client_secret_ref: undefined },
    'client_secret_ref',
    /./,
  ],
  ['a symmetric algorithm', 'service_account', { ...account, algorithm: 'HS256' }, 'algorithm', /RS256/],
  ['an assertion for a day', 'service_account', { ...account, ttl_seconds: 86400 }, 'ttl_seconds', /3600/],
];
for (const [what, protocol, given, member, says] of bad)
  test(`${what} is refused, and never repeated`, () => {
    const { data, problems } = readConfigData(protocol, given as Record<string, unknown>);
    assert.equal(data, undefined);
    assert.deepEqual(
      problems.map(({ path }) => path.join('.')),
      [member],
    );
    assert.match(problems[0]?.message ?? '', says);
    assert.ok(!JSON.stringify(problems).includes(canary));
  });

test('everything that is wrong is said at once', () => {
  const { problems } = readConfigData('oauth', { client_secret: 'x', token_url: 'y' });
  assert.deepEqual(problems.map(({ path }) => path.join('.')).sort(), [
    'authorize_url',
    'client_id',
    'client_secret',
    'token_url',
  ]);
});

const pem = `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----\n`;
const { client_secret_ref: _, ...keyless } = account;
const kept = { keepsSecrets: true, hasSecret: true };
const fresh = { keepsSecrets: true, hasSecret: false };

const secrets: [what: string, protocol: ProviderProtocol, given: object, options: object, secret?: string | null][] = [
  ['a secret of oauth', 'oauth', { ...oauth, client_secret: canary }, fresh, canary],
  ['a private key', 'service_account', { ...keyless, client_secret: pem }, fresh, pem],
  ['another secret', 'oauth', { ...oauth, client_secret: canary }, kept, canary],
  ['a secret that is not mentioned', 'oauth', oauth, kept],
  ['a private key that is not mentioned', 'service_account', keyless, kept],
  ['the same by a server that cannot encrypt now', 'oauth', oauth, { keepsSecrets: false, hasSecret: true }],
  ['null where there is one', 'oauth', { ...oauth, client_secret: null }, kept, null],
  ['null where there is none', 'oauth', { ...oauth, client_secret: null }, fresh],
  ['a reference in its place', 'oauth', { ...oauth, client_secret_ref: 'CONNECTOR_X' }, kept, null],
];
for (const [what, protocol, given, options, secret] of secrets)
  test(`${what}: apart from the data ${secret === undefined ? 'nothing' : secret === null ? 'null' : 'a secret'}`, () => {
    const read = readConfigData(protocol, given as Record<string, unknown>, options);
    assert.deepEqual(read.problems, []);
    assert.ok(read.data && !('client_secret' in read.data));
    assert.equal(read.secret, secret);
    assert.equal('secret' in read, secret !== undefined);
  });

const badSecrets: [what: string, protocol: ProviderProtocol, given: object, member: string, says: RegExp][] = [
  ['beside a reference', 'service_account', { ...account, client_secret: pem }, 'client_secret', /beside/],
  ['of api_key', 'api_key', { client_secret: canary }, 'client_secret', /not for api_key/],
  ['that is empty', 'oauth', { ...oauth, client_secret: ' ' }, 'client_secret', /not empty/],
  ['that is a list', 'oauth', { ...oauth, client_secret: [canary] }, 'client_secret', /must be text/],
  ['that is a book', 'oauth', { ...oauth, client_secret: canary.repeat(2000) }, 'client_secret', /at most 16384/],
  ['that is no private key', 'service_account', { ...keyless, client_secret: canary }, 'client_secret', /PEM/],
  ['by another name', 'oauth', { ...oauth, app_secret: canary }, 'app_secret', /belongs into client_secret/],
  ['by the name of its kind', 'service_account', { ...account, private_key: pem }, 'private_key', /into client_secret/],
  ['forgotten that is needed', 'service_account', { ...keyless, client_secret: null }, 'client_secret_ref', /required/],
];
for (const [what, protocol, given, member, says] of badSecrets)
  test(`a secret ${what} is refused by a server that keeps secrets`, () => {
    const { data, problems } = readConfigData(protocol, given as Record<string, unknown>, kept);
    assert.equal(data, undefined);
    assert.deepEqual(
      problems.map(({ path }) => path.join('.')),
      [member],
    );
    assert.match(problems[0]?.message ?? '', says);
    assert.ok(!JSON.stringify(problems).includes(canary));
  });
