import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Config, ConfigError, loadConfig } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'authserver-config-'));
after(() => rmSync(directory, { recursive: true }));

let files = 0;
function file(content: string): string {
  const path = join(directory, `${files++}`);
  writeFileSync(path, content);
  return path;
}

const load = (yaml: string, env: Record<string, string> = {}): Config => loadConfig({ path: file(yaml), env }).config;

function problems(yaml: string, env: Record<string, string> = {}): string[] {
  try {
    load(yaml, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ key, message }) => `${key}: ${message}`);
  }
  return [];
}

test('an empty configuration is a server on localhost', () => {
  const { config } = loadConfig({ env: {} });
  assert.equal(config.server.issuer, 'http://localhost:9000');
  assert.equal(config.storage.driver, 'embedded');
  assert.equal(config.dcr.default_token_expiry, 900);
  assert.equal(config.oauth.require_scope, false);
  assert.deepEqual(config.server.allowed_origins, ['*']);
  assert.equal(config.session.secret, undefined);
});

test('the result is frozen to the leaves', () => {
  const { config } = loadConfig({ env: {} });
  assert.ok(Object.isFrozen(config.storage.postgres));
  assert.throws(() => config.server.allowed_origins.push('https://evil.example'), TypeError);
});

test('the file overrides the defaults and the environment overrides the file', () => {
  const yaml = 'server: { address: ":8000", read_timeout: 5s }\nadmin: { enabled: false }';
  const config = load(yaml, { AUTHPLANE_SERVER_READ_TIMEOUT: '1m', AUTHPLANE_LOG_LEVEL: 'debug' });
  assert.equal(config.server.address, ':8000');
  assert.equal(config.server.read_timeout, 60);
  assert.equal(config.server.write_timeout, 30);
  assert.equal(config.admin.enabled, false);
  assert.equal(config.observability.logging.level, 'debug');
});

test('a group or key without a value counts as absent', () => {
  assert.equal(load('server:\nsession:\n  max_age:\n').session.max_age, 86_400);
});

test('a variable that is set but empty overrides', () => {
  const yaml = 'server: { allowed_origins: ["https://a.example"] }\noauth: { default_client_scope: a }';
  const config = load(yaml, { AUTHPLANE_SERVER_ALLOWED_ORIGINS: '', AUTHPLANE_OAUTH_DEFAULT_CLIENT_SCOPE: '' });
  assert.deepEqual(config.server.allowed_origins, []);
  assert.equal(config.oauth.default_client_scope, undefined);
});

test('lists in the environment are separated by commas and trimmed', () => {
  const config = load('', { AUTHPLANE_SERVER_TRUSTED_PROXIES: '10.0.0.0/8, fd00::/8 ,192.0.2.1' });
  assert.deepEqual(config.server.trusted_proxies, ['10.0.0.0/8', 'fd00::/8', '192.0.2.1']);
});

for (const [word, value] of [
  ['true', true],
  ['YES', true],
  ['1', true],
  ['False', false],
  ['no', false],
  ['0', false],
] as const) {
  test(`the boolean ${word} is ${value}`, () => {
    assert.equal(load('', { AUTHPLANE_SESSION_FAIL_CLOSED: word }).session.fail_closed, value);
  });
}

const refused: [env: Record<string, string>, problem: RegExp][] = [
  [
    { AUTHPLANE_SESSION_FAIL_CLOSED: 'on' },
    /^session.fail_closed: expected true or false \(from AUTHPLANE_SESSION_FAIL_CLOSED\)$/,
  ],
  [{ AUTHPLANE_STORAGE_POSTGRES_MAX_CONNS: '12.5' }, /whole number/],
  [{ AUTHPLANE_STORAGE_POSTGRES_MAX_CONNS: '0x10' }, /whole number/],
  [{ AUTHPLANE_STORAGE_POSTGRES_MAX_CONNS: '' }, /whole number/],
  [{ AUTHPLANE_STORAGE_POSTGRES_MAX_CONNS: '3' }, /^storage.postgres.min_conns: must not be greater/],
  [{ AUTHPLANE_SERVER_READ_TIMEOUT: '30' }, /duration with its unit/],
  [{ AUTHPLANE_OAUTH_CODE_TTL: '61s' }, /^oauth.code_ttl: must be at most 60s/],
  [{ AUTHPLANE_SERVER_ISSUER: '' }, /^server.issuer: must not be empty/],
  [{ AUTHPLANE_SERVER_TRUSTED_PROXIES: '10.0.0.0/33' }, /CIDR/],
  [{ AUTHPLANE_SERVER_ALLOWED_ORIGINS: 'https://a.example/' }, /origins/],
  [{ AUTHPLANE_STORAGE_DRIVER: 'sqlite' }, /embedded/],
  [{ AUTHPLANE_STORAGE_DRIVER: 'postgres' }, /^storage.postgres.dsn: is required/],
  [{ AUTHPLANE_STORAGE_SQLITE_PATH: 'x' }, /AUTHPLANE_STORAGE_EMBEDDED_PATH/],
  [
    { AUTHPLANE_SESION_SECRET: 'x' },
    /^AUTHPLANE_SESION_SECRET: unknown variable; did you mean AUTHPLANE_SESSION_SECRET\?$/,
  ],
  [{ AUTHPLANE_SERVER_ISSUER_FILE: 'x' }, /unknown variable/],
  [{ AUTHPLANE_ADMIN_ADDRESS: '127.0.0.1:9000' }, /^admin.address: must not be the same as server.address/],
  [{ AUTHPLANE_DCR_MODE: 'approved_redirects' }, /^dcr.approved_redirects: must not be empty/],
  [{ AUTHPLANE_DCR_DEFAULT_REFRESH_EXPIRY: '91d' }, /^dcr.default_refresh_expiry: .*refresh_absolute_lifetime/],
  [{ AUTHPLANE_SESSION_SAME_SITE: 'none' }, /^session.same_site: none needs session.secure/],
  [{ AUTHPLANE_ADMIN_AUDIT_DEFAULT_LOOKBACK: '31d' }, /^admin.audit_default_lookback/],
  [{ AUTHPLANE_RATE_LIMIT_RPS: '0' }, /^rate_limit.requests_per_second: must be greater than 0/],
];

for (const [env, problem] of refused) {
  const [[name, value] = []] = Object.entries(env);
  test(`${name}="${value}" is refused`, () => {
    const found = problems('', env);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', problem);
  });
}

test('numbers and secrets in YAML are not guessed', () => {
  assert.deepEqual(
    problems('server: { read_timeout: 30 }\nsession: { secret: 12345 }').map((line) => line.split(':')[0]),
    ['server.read_timeout', 'session.secret'],
  );
});

const unknown: [yaml: string, problem: string][] = [
  ['server: { isuer: x }', 'server.isuer: unknown key; did you mean server.issuer?'],
  ['sever: { issuer: x }', 'sever: unknown key; did you mean server?'],
  ['issuer: x', 'issuer: unknown key; did you mean server.issuer?'],
  ['colour: x', 'colour: unknown key'],
  ['resources: [{ slug: a, polcy: {} }]', 'resources[0].polcy: unknown key; did you mean resources[0].policy?'],
  ['resource_servers: []', 'resource_servers: was removed; use resources'],
];

for (const [yaml, problem] of unknown) {
  test(`${yaml} is refused`, () => assert.deepEqual(problems(yaml), [problem]));
}

test('variables of the CLI, secret references and Kubernetes service links are not settings', () => {
  const env = {
    AUTHPLANE_ADMIN_URL: 'http://localhost:9001',
    AUTHPLANE_VAULT_GITHUB: 'x',
    AUTHPLANE_PORT: 'tcp://10.0.0.1:9000',
    AUTHPLANE_PORT_9000_TCP_ADDR: '10.0.0.1',
    AUTHPLANE_SERVICE_HOST: '10.0.0.1',
    AUTHPLANE_MASTER_KEY: 'c0ffee'.padEnd(64, '0'),
    AUTHPLANE_OLD_KEY_FILE: file('decaf'.padEnd(64, '0')),
    OTHER: 'x',
  };
  const keys = 'key_env: AUTHPLANE_MASTER_KEY, old_key_env: AUTHPLANE_OLD_KEY';
  assert.deepEqual(problems(`data_encryption: { driver: aes_master, aes_master: { ${keys} } }`, env), []);
});

test('all problems come as one numbered list', () => {
  const yaml =
    'server: { issuer: "https://auth.example.com/", read_timeout: soon, isuer: x }\nsigning: { algorithm: HS256 }';
  assert.throws(
    () => load(yaml, { AUTHPLANE_NOPE_NOPE: '1' }),
    (error: Error) => {
      const [first, ...lines] = error.message.split('\n');
      assert.equal(first, `configuration has ${lines.length} problems:`);
      for (const [index, line] of lines.entries()) assert.ok(line.startsWith(`  ${index + 1}. `), line);
      for (const key of [
        'AUTHPLANE_NOPE_NOPE',
        'server.issuer',
        'server.isuer',
        'server.read_timeout',
        'signing.algorithm',
        'session.secret',
        'admin.api_key',
      ]) {
        assert.equal(lines.filter((line) => line.includes(`. ${key}: `)).length, 1, key);
      }
      return true;
    },
  );
});

test('a missing file and broken YAML are errors', () => {
  assert.throws(() => loadConfig({ path: '/nowhere/config.yaml', env: {} }), /\/nowhere\/config.yaml: no such file/);
  assert.throws(() => loadConfig({ env: { AUTHPLANE_CONFIG: '/nowhere/config.yaml' } }), /no such file/);
  assert.match(problems('server: {\n')[0] ?? '', /is not valid YAML at line 2/);
  assert.match(problems('- a list')[0] ?? '', /must be a mapping/);
  assert.match(problems('server: 5')[0] ?? '', /^server: expected a group/);
  assert.match(problems('a: 1\na: 2')[0] ?? '', /DUPLICATE_KEY/);
});

test('a secret can come from a file', () => {
  const secretFile = file('s3cr3t with spaces \n');
  assert.equal(load('', { AUTHPLANE_SESSION_SECRET_FILE: secretFile }).session.secret, 's3cr3t with spaces ');
  assert.equal(load(`session: { secret_file: ${secretFile} }`).session.secret, 's3cr3t with spaces ');
  const overridden = load(`session: { secret_file: /nowhere }`, { AUTHPLANE_SESSION_SECRET: 'from env' });
  assert.equal(overridden.session.secret, 'from env');
  const emptyBeside = { AUTHPLANE_SESSION_SECRET: '', AUTHPLANE_SESSION_SECRET_FILE: secretFile };
  assert.equal(load('session: { secret: inline }', emptyBeside).session.secret, 's3cr3t with spaces ');
});

test('a secret from two places, or from no file, is refused', () => {
  const both = { AUTHPLANE_SESSION_SECRET: 'x', AUTHPLANE_SESSION_SECRET_FILE: file('y') };
  assert.match(problems('', both).join(), /AUTHPLANE_SESSION_SECRET_FILE: set either this or AUTHPLANE_SESSION_SECRET/);
  assert.match(problems('session: { secret: a, secret_file: b }').join(), /session.secret_file: set either/);
  assert.match(
    problems('session: { secret_file: /nowhere }').join(),
    /session.secret_file: the file it names does not exist/,
  );
  assert.match(problems(`session: { secret_file: ${file('')} }`).join(), /empty file/);
});

test('no message repeats a configured value', () => {
  const canary = 'hunter2-canary';
  const values = [
    `storage: { driver: postgres, postgres: { dsn: "mysql://u:${canary}@db" } }`,
    `server: { issuer: "http://u:${canary}@h", address: ${canary}, read_timeout: ${canary}, trusted_proxies: [${canary}] }`,
    `session: { secret: [${canary}], secure: ${canary}, same_site: ${canary} }`,
    `session: { secret_file: /nowhere/${canary} }`,
    `connect: { state_secret: ${canary} }\nredis: { url: ${canary} }\nnats: { url: "${canary}" }`,
    `broker_providers: [{ slug: a, display_name: a, protocol: oauth, config_data: { client_secret: ${canary} } }]`,
    `session: { secret: "${canary}\n`,
    `session:\n  secret: *${canary}\n`,
    `${canary}\nsession: {}`,
  ];
  for (const yaml of values) {
    const found = problems(yaml);
    assert.ok(found.length > 0, yaml);
    assert.ok(!found.join('\n').includes(canary), found.join('\n'));
  }
});

test('reserved settings in use and deprecated keys are warned about', () => {
  const heard: string[] = [];
  const env = { AUTHPLANE_CONNECT_REDIRECT_BASE_URL: 'https://auth.example.com' };
  const path = file('oidc: { client_secret_env: CONNECTOR_IDP }');
  const { config, warnings } = loadConfig({ path, env, warn: (warning) => heard.push(warning) });
  assert.equal(config.oidc.client_secret_ref, 'CONNECTOR_IDP');
  assert.deepEqual(heard, warnings);
  const text = warnings.join('\n');
  assert.match(text, /oidc.client_secret_env is deprecated/);
  assert.match(text, /without effect in this release: connect.redirect_base_url/);
});
