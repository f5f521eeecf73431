import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientMetadata, metadataProblems, ScopeString } from './client-metadata.ts';

const read = (metadata: unknown) => {
  const parsed = ClientMetadata.safeParse(metadata);
  return parsed.success
    ? metadataProblems(parsed.data).map(({ message }) => message)
    : parsed.error.issues.map(({ path }) => path.join('.'));
};

const redirect_uris = ['https://app.example.com/cb'];

test('the defaults are those of RFC 7591 §2, and unknown members are ignored', () => {
  const metadata = ClientMetadata.parse({
    redirect_uris,
    software_id: 'x',
    scope: 'admin',
    client_id: 'mine',
    logo_uri: 1,
  });
  assert.deepEqual(metadata, {
    redirect_uris,
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_basic',
    dpop_bound_access_tokens: false,
    require_pushed_authorization_requests: false,
    agent: false,
    agent_description: '',
  });
});

const accepted: Record<string, unknown> = {
  'a web app': { redirect_uris },
  'a native app': {
    redirect_uris: ['com.example.app:/cb', 'http://127.0.0.1/cb'],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
  },
  'a loopback redirect without application_type': {
    redirect_uris: ['http://localhost:3334/callback'],
    token_endpoint_auth_method: 'none',
  },
  'a machine': { grant_types: ['client_credentials'], response_types: [] },
  'grant types in any order': {
    redirect_uris,
    grant_types: ['refresh_token', 'authorization_code'],
    response_types: ['code'],
  },
};
for (const [name, metadata] of Object.entries(accepted))
  test(`${name} may register`, () => assert.deepEqual(read(metadata), []));

const refused: [name: string, metadata: unknown, problem: RegExp][] = [
  ['no redirect URI', {}, /redirect_uris is required/],
  ['refresh without code', { grant_types: ['refresh_token'] }, /refresh_token needs authorization_code/],
  [
    'a machine without secret',
    { grant_types: ['client_credentials'], token_endpoint_auth_method: 'none' },
    /confidential/,
  ],
  ['code without the grant', { grant_types: ['client_credentials'], response_types: ['code'] }, /need each other/],
  ['the grant without code', { redirect_uris, response_types: [] }, /need each other/],
  [
    'a private-use scheme of what calls itself web',
    { redirect_uris: ['com.example.app:/cb'], application_type: 'web' },
    /application_type native/,
  ],
  ['a dangerous redirect URI', { redirect_uris: ['javascript:alert(1)'] }, /^redirect_uris.0$/],
  ['a repeated redirect URI', { redirect_uris: [...redirect_uris, ...redirect_uris] }, /^redirect_uris$/],
  [
    'eleven redirect URIs',
    { redirect_uris: Array.from({ length: 11 }, (_, i) => `https://a.example/${i}`) },
    /^redirect_uris$/,
  ],
  ['the implicit flow', { redirect_uris, response_types: ['token'] }, /^response_types.0$/],
  ['an unknown grant', { redirect_uris, grant_types: ['password'] }, /^grant_types.0$/],
  [
    'an unknown method',
    { redirect_uris, token_endpoint_auth_method: 'tls_client_auth' },
    /^token_endpoint_auth_method$/,
  ],
  ['a blank name', { redirect_uris, client_name: '  ' }, /^client_name$/],
  ['control characters in the name', { redirect_uris, client_name: 'a\u0007b' }, /^client_name$/],
  ['half a surrogate pair', { redirect_uris, client_name: 'a\ud800' }, /^client_name$/],
  ['a name without end', { redirect_uris, client_name: 'a'.repeat(256) }, /^client_name$/],
  ['no object', 'text', /^$/],
];
for (const [name, metadata, problem] of refused)
  test(`${name} is refused`, () => {
    const problems = read(metadata);
    assert.equal(problems.length, 1, problems.join('; '));
    assert.match(problems[0] ?? '', problem);
  });

test('all problems are told at once', () => {
  const problems = read({
    grant_types: ['refresh_token', 'client_credentials'],
    token_endpoint_auth_method: 'none',
    response_types: ['code'],
  });
  assert.equal(problems.length, 3, problems.join('; '));
});

test('a ceiling is kept as scopes, each once', () => {
  assert.equal(ScopeString.parse(' b  a b'), 'b a');
  assert.equal(ScopeString.parse(''), '');
  for (const scope of ['a"b', 'a\\', 'a\nb', 'x'.repeat(257)]) assert.ok(!ScopeString.safeParse(scope).success, scope);
});
