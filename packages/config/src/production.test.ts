import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, configWarnings, loadConfig } from './index.ts';

/** The least a production server needs. */
const production = {
  AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com/tenant',
  AUTHPLANE_SESSION_SECRET: '0123456789abcdef0123456789abcdef',
  AUTHPLANE_SESSION_SECURE: 'true',
  AUTHPLANE_ADMIN_API_KEY: '0123456789abcdef',
  AUTHPLANE_STORAGE_DRIVER: 'postgres',
  AUTHPLANE_STORAGE_POSTGRES_DSN: 'postgres://authserver@db/authserver',
};

function problems(env: Record<string, string>): string[] {
  try {
    loadConfig({ env });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ key }) => key);
  }
}

test('a complete production configuration loads', () => assert.deepEqual(problems(production), []));

test('a bare https issuer is told everything that is missing', () => {
  assert.deepEqual(problems({ AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com' }).sort(), [
    'admin.api_key',
    'session.secret',
    'session.secure',
    'storage.driver',
  ]);
});

const violations: [change: Record<string, string>, key: string][] = [
  [{ AUTHPLANE_SERVER_ISSUER: 'http://auth.example.com' }, 'server.issuer'],
  [{ AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com/' }, 'server.issuer'],
  [{ AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com?a=b' }, 'server.issuer'],
  [{ AUTHPLANE_SESSION_SECRET: '' }, 'session.secret'],
  [{ AUTHPLANE_SESSION_SECRET: '0123456789abcdef0123456789abcde' }, 'session.secret'],
  [{ AUTHPLANE_SESSION_SECRET: ` x${' '.repeat(40)}` }, 'session.secret'],
  [{ AUTHPLANE_SESSION_SECRET: ' ChangeMe ' }, 'session.secret'],
  [{ AUTHPLANE_SESSION_SECURE: 'false' }, 'session.secure'],
  [{ AUTHPLANE_ADMIN_API_KEY: '' }, 'admin.api_key'],
  [{ AUTHPLANE_ADMIN_API_KEY: '0123456789abcde' }, 'admin.api_key'],
  [{ AUTHPLANE_ADMIN_API_KEY: 'dev-admin-key' }, 'admin.api_key'],
  [{ AUTHPLANE_ADMIN_ENABLED: 'false', AUTHPLANE_ADMIN_API_KEY: 'password' }, 'admin.api_key'],
  [{ AUTHPLANE_CLIENT_SECRET_PEPPER: 'secret' }, 'client_secret_pepper'],
  [{ AUTHPLANE_STORAGE_DRIVER: 'embedded' }, 'storage.driver'],
  [{ AUTHPLANE_CIMD_REQUIRE_HTTPS: 'false' }, 'cimd.require_https'],
  [{ AUTHPLANE_CIMD_ALLOW_PRIVATE_ADDRESSES: 'true' }, 'cimd.allow_private_addresses'],
];

for (const [change, key] of violations) {
  test(`off localhost ${JSON.stringify(change)} is refused`, () => {
    assert.deepEqual(problems({ ...production, ...change }), [key]);
  });
}

test('a well-known secret is called so, whatever its case and the space around it', () => {
  for (const secret of [' ChangeMe ', 'DEV-SECRET-CHANGE-ME']) {
    assert.throws(() => loadConfig({ env: { ...production, AUTHPLANE_SESSION_SECRET: secret } }), /well-known value/);
  }
});

test('a setting that cannot be read is one problem, not also one of the rules about it', () => {
  assert.deepEqual(problems({ ...production, AUTHPLANE_STORAGE_DRIVER: 'sqlite' }), ['storage.driver']);
  assert.deepEqual(problems({ ...production, AUTHPLANE_SESSION_SECURE: 'maybe' }), ['session.secure']);
});

test('without the admin API no admin key is needed', () => {
  assert.deepEqual(problems({ ...production, AUTHPLANE_ADMIN_ENABLED: 'false', AUTHPLANE_ADMIN_API_KEY: '' }), []);
});

test('on localhost a well-known secret is only warned about', () => {
  const { config, warnings } = loadConfig({ env: { AUTHPLANE_ADMIN_API_KEY: 'dev-admin-key' } });
  const warning = 'admin.api_key is a well-known value, which is refused off localhost';
  assert.ok(warnings.includes(warning));
  assert.ok(configWarnings(config).includes(warning));
});

test('what weakens a server is warned about', () => {
  const { config } = loadConfig({ env: { AUTHPLANE_SERVER_ALLOWED_ORIGINS: '', AUTHPLANE_SESSION_FAIL_CLOSED: 'no' } });
  const keys = configWarnings(config).map((warning) => warning.split(' ')[0]);
  assert.deepEqual(keys, ['server.allowed_origins', 'dcr.mode', 'oauth.default_client_scope', 'session.fail_closed']);
  const strict = { AUTHPLANE_DCR_MODE: 'admin_only' };
  assert.deepEqual(configWarnings(loadConfig({ env: strict }).config), []);
});
