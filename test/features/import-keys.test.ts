/** Moving from key files to keys in the database. */
import assert from 'node:assert/strict';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeProtectedHeader } from 'jose';
import { traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { launchServer } from '../support/started-server.ts';
import { ok } from '../support/test-app.ts';

const env = { MASTER_KEY: 'ab'.repeat(32) };
const server = await startAuthServer({ admin: true });
const { key_path: directory } = server.config.signing;
const job = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const resource = await server.resource({ runtimeClients: [job.clientId] });
const tokenFrom = async () =>
  ok(await job.clientCredentials({ resource: resource.uri, scope: 'tools/read' })).access_token;
const encryption = { driver: 'aes_master', aes_master: { key_env: 'MASTER_KEY' } };
const config = await server.configFile({
  signing: { key_store: 'postgres_key', key_path: directory },
  data_encryption: encryption,
});
const importKeys = (file = config) => runCli(['import-keys', '--config', file], { env });
const rows = () => server.sql('select kid, state, enc_backend from signing_keys order by state, kid');

test('without the import a process on the database does not start: there were keys', async () => {
  await server.store.settings.noteSigningKeys();
  const stranded = await launchServer({ by: 'service', role: 'token', env: started() });
  assert.deepEqual(await stranded.process.ended(), { code: 1, signal: null });
  assert.match(stranded.process.stderr(), /signing_keys is empty, but there were signing keys.*import/);
});

test('what cannot be read is refused, and nothing is imported', async () => {
  const bare = await server.configFile({ signing: { key_path: directory } });
  assert.match(failedWith(await importKeys(bare), 1), /data_encryption.driver is not set/);
  const elsewhere = await server.configFile({
    signing: { key_store: 'postgres_key', key_path: join(directory, 'none') },
    data_encryption: encryption,
  });
  assert.match(failedWith(await importKeys(elsewhere), 1), /There are no key files in/);

  const { keys } = await server.admin.key.list();
  const path = join(directory, `${keys.find(({ status }) => status === 'next')?.kid}.pem`);
  const good = await readFile(path);
  await chmod(path, 0o644);
  assert.match(failedWith(await importKeys(), 1), /open to group or others/);
  await chmod(path, 0o600);
  await writeFile(path, 'half a key');
  const said = failedWith(await importKeys(), 1);
  assert.match(said, /\.pem is damaged/);
  assert.ok(!said.includes('half a key'));
  await writeFile(path, good);
  assert.deepEqual(await rows(), []);
});

test('the ring is copied with its states and its retiring keys, once; tokens of both homes verify at both', async () => {
  const before = await tokenFrom();
  await server.admin.key.rotate({ query: { force: 'true' } });
  const { keys } = await server.admin.key.list();
  const files = await readdir(directory);
  const { audit, changes } = await traceOf(server, async () => {
    const { code, stdout, stderr } = await importKeys();
    assert.equal(code, 0, stderr);
    for (const { kid, status } of keys)
      assert.ok(stdout.includes(`key imported: kid=${kid} alg=ES256 status=${status}`));
  });
  assert.deepEqual(
    audit.map(({ action, actor_id }) => [action, actor_id]),
    [['key.imported', 'cli']],
  );
  assert.equal(changes[0]?.kind, 'signing_key');
  assert.deepEqual(
    (await rows()).map(({ kid, state, enc_backend }) => `${state} ${kid} ${enc_backend}`).sort(),
    keys.map(({ kid, status }) => `${status} ${kid} ${status === 'retiring' ? null : 'aes_master'}`).sort(),
  );
  assert.deepEqual(await readdir(directory), files);
  assert.match(failedWith(await importKeys(), 1), /There are signing keys in the database already/);

  const moved = await launchServer({ by: 'service', role: 'token', env: started() });
  await moved.ready();
  const published = async (issuer: string) => (await fetch(`${issuer}/.well-known/jwks.json`)).json();
  const here = `http://localhost:${moved.ports.token}`;
  assert.deepEqual(await published(here), await published(server.issuer));
  const body = new URLSearchParams({ grant_type: 'client_credentials', resource: resource.uri, scope: 'tools/read' });
  const answer = await fetch(`${here}/oauth/token`, { method: 'POST', body, headers: { authorization: job.basic() } });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  assert.equal(decodeProtectedHeader(token).kid, keys.find(({ status }) => status === 'current')?.kid);
  for (const one of [before, token]) assert.equal(ok(await job.introspect(one)).active, true);
  moved.process.signal('SIGTERM');
  assert.deepEqual(await moved.process.ended(), { code: 0, signal: null });
});

/** Another process of the same issuer, with keys in the database. */
function started(): Record<string, string> {
  return {
    SERVER_ISSUER: server.issuer,
    STORAGE_DRIVER: 'postgres',
    STORAGE_POSTGRES_DSN: server.dsn,
    SIGNING_KEY_STORE: 'postgres_key',
    DATA_ENCRYPTION_DRIVER: 'aes_master',
    DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_VAULT_MASTER_KEY',
    VAULT_MASTER_KEY: env.MASTER_KEY,
  };
}
