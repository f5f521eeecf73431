import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { isMissing, redis } from '../support/services.ts';

const server = await startAuthServer({ admin: true, env: { OAUTH_DEFAULT_CLIENT_SCOPE: 'tools/read' } });
const { admin } = server;
const cli = async (of: typeof server, ...line: string[]) => {
  const env = { AUTHPLANE_ADMIN_URL: of.adminUrl, AUTHPLANE_ADMIN_API_KEY: of.adminKey };
  const { code, stdout, stderr } = await runCli(['admin', ...line], { env });
  assert.equal(code, 0, stderr);
  return stdout.slice(0, -1).split('\n');
};
const subsystemsOf = async (of: typeof server) =>
  Object.fromEntries((await of.admin.system.status()).subsystems.map(({ name, ...found }) => [name, found]));

test('status asks everything it depends on, and says what is not configured', async () => {
  const { version, uptime, uptime_secs } = await admin.system.status();
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.match(uptime, /^(\d+[dhm] )*\d+s$/);
  assert.ok(uptime_secs >= 0);
  const { signing, change_feed, ...others } = await subsystemsOf(server);
  assert.deepEqual(others, {
    storage: { status: 'healthy', driver: 'postgres' },
    migrations: { status: 'healthy' },
    encryption: { status: 'not_configured' },
  });
  assert.deepEqual([change_feed?.status, signing?.status], ['healthy', 'healthy']);
  const { keys } = await admin.key.list();
  assert.equal(signing?.detail, `signs with ${keys.find(({ status }) => status === 'current')?.kid}`);
  const { version: latest } = (await server.sql('select coalesce(max(version), 0) as version from changes'))[0] ?? {};
  assert.equal(change_feed?.detail, `at version ${latest}`);
});

test('a migration that is missing is named, with what to do', async () => {
  const rows = await server.sql('delete from schema_migrations where version = 24 returning *');
  try {
    const { migrations } = await subsystemsOf(server);
    assert.equal(migrations?.status, 'unhealthy');
    assert.match(migrations?.detail ?? '', /0024_trusted_idps; run authserver migrate/);
    const line = (await cli(server, 'system', 'status')).find((line) => line.startsWith('subsystem=migrations'));
    assert.match(line ?? '', /status=unhealthy detail="not applied: 0024_trusted_idps/);
  } finally {
    for (const { version, name, checksum } of rows)
      await server.sql('insert into schema_migrations (version, name, checksum) values ($1, $2, $3)', [
        version,
        name,
        checksum,
      ]);
  }
  assert.equal((await subsystemsOf(server)).migrations?.status, 'healthy');
});

test('a change feed that cannot be read is unhealthy, and the reason stays in the log', async () => {
  await server.sql('alter table changes rename to changes_elsewhere');
  try {
    const status = await server.adminRequest('GET', '/admin/system/status');
    assert.equal(status.status, 200);
    assert.doesNotMatch(JSON.stringify(status.body), /does not exist|relation|select/);
    const { change_feed, storage } = await subsystemsOf(server);
    assert.deepEqual([change_feed, storage?.status], [{ status: 'unhealthy', driver: 'postgres' }, 'healthy']);
  } finally {
    await server.sql('alter table changes_elsewhere rename to changes');
  }
});

test('Redis is asked where it is configured: here it answers, there it does not', {
  skip: isMissing('redis'),
}, async () => {
  const { url } = await redis();
  const withRedis = await startAuthServer({ admin: true, env: { REDIS_URL: url } });
  assert.deepEqual((await subsystemsOf(withRedis)).redis, { status: 'healthy' });
  assert.deepEqual((await withRedis.admin.system.config()).redis, { enabled: true });
  const lost = await startAuthServer({ admin: true, env: { REDIS_URL: 'redis://user:hidden-word@127.0.0.1:1/0' } });
  const answer = await lost.adminRequest('GET', '/admin/system/status');
  assert.equal(answer.status, 200);
  assert.doesNotMatch(JSON.stringify(answer.body), /hidden-word|127\.0\.0\.1/);
  assert.deepEqual((await subsystemsOf(lost)).redis, { status: 'unhealthy' });
  assert.doesNotMatch(JSON.stringify(await lost.admin.system.config()), /hidden-word/);
});

test('config names what is here, member by member', async () => {
  const shown = await admin.system.config();
  const { config } = server;
  assert.deepEqual(Object.keys(shown).sort(), [
    ...['admin', 'agents', 'cimd', 'client_credentials', 'dcr', 'device', 'dpop', 'encryption', 'issuer', 'notices'],
    ...['oauth', 'oidc', 'rate_limit', 'redis', 'session', 'signing', 'storage', 'token_exchange', 'xaa'],
  ]);
  assert.equal(shown.issuer, server.issuer);
  assert.deepEqual(shown.storage, { driver: 'postgres' });
  assert.deepEqual(shown.signing, { algorithm: 'ES256', key_store: 'keyfile', rotation_interval: 0 });
  assert.deepEqual(shown.device, { enabled: true, code_ttl: 600 });
  assert.equal(shown.cimd.cache_ttl, config.cimd.cache_ttl);
  assert.equal(shown.dpop.nonce_ttl, 60);
  assert.equal(shown.rate_limit.requests_per_second, 100_000);
  assert.equal(shown.oauth.default_client_scope, 'tools/read');
  assert.deepEqual(shown.token_exchange, {
    enabled: true,
    allow_self_exchange: false,
    max_chain_depth: 5,
    max_children: 500,
    token_expiry: 3600,
  });
  const scopes = ['openid', 'email', 'profile'];
  assert.deepEqual(shown.oidc, { enabled: false, issuer: '', client_id: '', scopes, show_local_login: true });
  const { enabled, grant, subject_mode, max_assertion_age } = shown.xaa;
  assert.deepEqual([enabled, grant, subject_mode, max_assertion_age], [true, true, 'auto_map', 300]);
});

test('nothing secret is in the configuration shown, nor where the database is [threat K06]', async () => {
  const canary = 'canary-word-of-this-test-0123456789abcdef';
  const secretive = await startAuthServer({
    admin: true,
    env: {
      ADMIN_API_KEY: `${canary}-admin`,
      SESSION_SECRET: `${canary}-session`,
      CLIENT_SECRET_PEPPER: `${canary}-pepper`,
      CONNECT_STATE_SECRET: `${canary}-state`,
    },
  });
  for (const path of ['/admin/system/config', '/admin/system/status']) {
    const text = JSON.stringify((await secretive.adminRequest('GET', path)).body);
    assert.ok(!text.includes(canary), path);
    assert.doesNotMatch(text, /postgres(ql)?:\/\/|"[a-z_]*(secret|password|api_key|dsn|pepper)"/, path);
    assert.ok(!text.includes(secretive.config.signing.key_path), path);
  }
});

test('the notice is there while strangers may register for every scope, and only then', async () => {
  assert.deepEqual((await admin.system.config()).notices, [], 'there is a ceiling');
  const open = await startAuthServer({ admin: true });
  const [notice, ...others] = (await open.admin.system.config()).notices;
  assert.deepEqual(
    [notice?.id, notice?.severity, others],
    ['oauth-default-client-scope-required-v0.3.0', 'warning', []],
  );
  assert.match(notice?.body ?? '', /oauth\.default_client_scope/);
  assert.ok(
    (await cli(open, 'system', 'config')).some((line) => line.startsWith(`notice: id=${notice?.id} severity=warning`)),
  );
  await open.admin.dcr.set({ body: { mode: 'admin_only' } });
  assert.deepEqual((await open.admin.system.config()).notices, [], 'nobody registers');
});

test('admin system config: a line a section, admin stats: one line', async () => {
  const lines = await cli(server, 'system', 'config');
  assert.equal(lines[0], `issuer=${server.issuer}`);
  assert.ok(lines.includes('storage: driver=postgres'));
  assert.ok(lines.some((line) => line.startsWith('xaa: enabled=true allow_private_addresses=false grant=true')));
  assert.ok(
    lines.every((line) => /^[a-z_]+(=|: )/.test(line)),
    lines.join('\n'),
  );
  assert.equal((await cli(server, 'stats')).length, 1);
});
