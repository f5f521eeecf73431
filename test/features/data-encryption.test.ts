/** Data encryption as an operator lives with it: the start, a bad key, a rotation, a run that is killed. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { aesMasterCipher, readMasterKey } from '@authserver/encryption';
import { uuidv7 } from '@authserver/store';
import pg from 'pg';
import { createDatabase } from '../support/database.ts';
import { newMasterKey } from '../support/master-key.ts';
import { emptyDirectory, freePorts } from '../support/server-process.ts';
import { launchServer, type StartedServer, startServer } from '../support/started-server.ts';

/** One database, and processes that are started on it one after the other or beside each other. */
const world = async (t: TestContext) => {
  const { dsn, drop } = await createDatabase();
  const pool = new pg.Pool({ connectionString: dsn, max: 2 });
  // The database may be dropped before the server has noticed that a connection was closed.
  pool.on('connect', (connection) => connection.on('error', () => {}));
  t.after(async () => {
    await pool.end();
    await drop();
  });
  const directory = await emptyDirectory();
  const ports = async () => {
    const [token = 0, admin = 0, internal = 0] = await freePorts(3);
    return { token, admin, internal };
  };
  const first = await ports();
  const options = async (env: Record<string, string>, beside = false) => ({
    directory,
    ports: beside ? await ports() : first,
    env: { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn, ...env },
  });
  return {
    directory,
    sql: async (text: string, values: unknown[] = []) => (await pool.query(text, values)).rows,
    start: async (env: Record<string, string>) => startServer(await options(env)),
    /** Starts one beside the others that must not come up; returns what it says. */
    refuse: async (env: Record<string, string>): Promise<string> => {
      const server = await launchServer(await options(env, true));
      assert.deepEqual(await server.process.ended(), { code: 1, signal: null });
      return server.process.stdout() + server.process.stderr();
    },
  };
};

const driver = { DATA_ENCRYPTION_DRIVER: 'aes_master', DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_MASTER_KEY' };
const withKey = (key: string, old?: string) => ({
  ...driver,
  MASTER_KEY: key,
  ...(old === undefined ? {} : { DATA_ENCRYPTION_OLD_KEY_ENV: 'AUTHPLANE_OLD_MASTER_KEY', OLD_MASTER_KEY: old }),
});
const canary = 'canary-71c0de';
const provider = {
  slug: 'github',
  display_name: 'GitHub',
  protocol: 'oauth',
  config_data: {
    client_id: 'id-at-github',
    client_secret: canary,
    authorize_url: 'https://github.com/login/oauth/authorize',
    token_url: 'https://github.com/login/oauth/access_token',
  },
};

const encryptionOf = async (server: StartedServer) => {
  const { subsystems } = await server.admin<{ subsystems: { name: string }[] }>(['system', 'status']);
  const { name: _, ...rest } = subsystems.find(({ name }) => name === 'encryption') ?? { name: '' };
  return rest as { status?: string; driver?: string; detail?: string };
};

test('a rotation of the master key, as docs/data-encryption.md says, with a bad key refused beside the old one [threat M13]', async (t) => {
  const { start, refuse, sql, directory } = await world(t);
  const [one, two] = [newMasterKey(), newMasterKey()];
  const config = join(directory, 'config.yaml');
  await writeFile(config, JSON.stringify({ broker_providers: [provider] }));

  // A secret in the configuration comes into the database encrypted.
  const before = await start({ ...withKey(one), CONFIG: config, SIGNING_KEY_STORE: 'postgres_key' });
  assert.deepEqual(await encryptionOf(before), { status: 'healthy', driver: 'aes_master' });
  const shown = await before.admin<{ encryption: { driver: string } }>(['system', 'config']);
  assert.equal(shown.encryption.driver, 'aes_master');
  const { has_client_secret } = await before.admin<{ has_client_secret: boolean }>([
    'provider',
    'get',
    '--slug',
    'github',
  ]);
  assert.equal(has_client_secret, true);

  // A process with a key that cannot be used does not come up, says all that is wrong and shows no key; the old one serves on.
  const said = await refuse({ ...withKey(`${canary}${two}`, one.slice(1)), SESSION_SAME_SITE: 'sideways' });
  assert.match(said, /3 problems/);
  assert.match(
    said,
    /data_encryption\.aes_master\.key_env: names AUTHPLANE_MASTER_KEY, which must hold 64 hexadecimal/,
  );
  assert.match(said, /old_key_env: names AUTHPLANE_OLD_MASTER_KEY, which must hold/);
  assert.ok(![canary, two, one.slice(1)].some((secret) => said.includes(secret)), said);
  // One that is a key, but not that of what is there, does not either: it could not sign.
  const other = await refuse({ ...withKey(newMasterKey()), SIGNING_KEY_STORE: 'postgres_key' });
  assert.match(other, /no configured master key/);
  assert.equal((await encryptionOf(before)).status, 'healthy');
  await before.stop();

  const during = await start({ ...withKey(two, one), SIGNING_KEY_STORE: 'postgres_key' });
  assert.deepEqual(await encryptionOf(during), {
    ...{ status: 'healthy', driver: 'aes_master' },
    detail: 'values of another key wait for admin crypto reencrypt',
  });
  const cli = async (args: string) => {
    const { code, stdout, stderr } = await during.cli(args.split(' '));
    return { code, stdout, stderr };
  };
  const rehearsed = await cli('admin crypto reencrypt --dry-run');
  const figures = 'driver=aes_master scanned=3 reencrypted=3 changed=0 unreadable=0 left=0\n';
  assert.ok(rehearsed.stdout.startsWith('would ') && rehearsed.stdout.endsWith(figures), rehearsed.stdout);
  assert.match((await cli('admin crypto status')).stderr, /3 values wait for admin crypto reencrypt/);
  const done = await cli('admin crypto reencrypt');
  assert.deepEqual([done.code, done.stdout], [0, figures]);
  assert.match((await cli('admin crypto reencrypt')).stdout, /scanned=3 reencrypted=0/);
  const status = await cli('admin crypto status');
  assert.equal(status.stderr, '');
  assert.match(
    status.stdout,
    /^column=signing_keys\.enc_private backend=aes_master key=[0-9a-f]{16} current=true opens=true count=2$/m,
  );
  await during.stop();

  const after = await start({ ...withKey(two), SIGNING_KEY_STORE: 'postgres_key' });
  assert.deepEqual(await encryptionOf(after), { status: 'healthy', driver: 'aes_master' });
  assert.equal((await fetch(`${after.issuer}/.well-known/jwks.json`)).status, 200);
  const dump = JSON.stringify([await sql('select * from audit_events'), await sql('select * from broker_providers')]);
  assert.ok(!dump.includes(canary));
  assert.ok(![before, during, after].some(({ process }) => (process.stdout() + process.stderr()).includes(canary)));
});

test('a run that is killed has done what it has done, and the next one does the rest [threat M13]', async (t) => {
  const { start, sql } = await world(t);
  const [one, two] = [newMasterKey(), newMasterKey()];
  const [old, current] = [one, two].map((key) => aesMasterCipher({ current: readMasterKey(key) ?? assert.fail() }));
  assert.ok(old && current);
  const server = await start(withKey(two, one));
  const ids = Array.from({ length: 6_000 }, () => uuidv7(new Date()));
  const sealed = await Promise.all(ids.map((id) => old.encrypt(`provider:${id}`, Buffer.from(id))));
  await sql(
    `insert into broker_providers (id, slug, display_name, protocol, enc_secret_data, enc_secret_backend)
     select id, 'up-' || id, 'Up', 'api_key', blob, 'aes_master' from unnest($1::uuid[], $2::bytea[]) as t (id, blob)`,
    [ids, sealed.map(({ blob }) => blob)],
  );

  const response = await fetch(`${server.adminUrl}/admin/crypto/reencrypt`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await server.adminKey()}`, accept: 'application/x-ndjson' },
  });
  const reader = response.body?.getReader();
  for (let heard = ''; !/"done":[1-9]/.test(heard); ) {
    const { value, done } = (await reader?.read()) ?? { done: true };
    assert.ok(!done, heard);
    heard += Buffer.from(value ?? []).toString();
  }
  await server.stop('SIGKILL');
  await reader?.cancel().catch(() => {});
  const rows = async () =>
    (await sql('select id, enc_secret_data as blob from broker_providers order by id')) as {
      id: string;
      blob: Buffer;
    }[];
  const isNew = async ({ blob }: { blob: Buffer }) => current.isCurrent({ backend: 'aes_master', blob });
  const done = (await Promise.all((await rows()).map(isNew))).filter(Boolean).length;
  assert.ok(done > 0 && done < ids.length, `${done} were done`);
  const [event] = await sql(`select details from audit_events where action = 'crypto.reencrypted'`);
  assert.equal(event?.details.pending, ids.length);

  const again = await start(withKey(two, one));
  const result = await again.admin<Record<string, number>>(['crypto', 'reencrypt']);
  assert.deepEqual([result.reencrypted, result.left], [ids.length - done, 0]);
  for (const { id, blob } of await rows())
    assert.equal(String(await current.decrypt(`provider:${id}`, { backend: 'aes_master', blob })), id);
  await again.stop();
});

test('a start without the settings of the driver, or with half a Vault, is refused with everything that is missing', async (t) => {
  const { refuse } = await world(t);
  assert.match(await refuse({ DATA_ENCRYPTION_DRIVER: 'aes_master' }), /aes_master\.key_env: is required/);
  const said = await refuse({
    DATA_ENCRYPTION_DRIVER: 'vault_transit_encrypt',
    DATA_ENCRYPTION_VAULT_AUTH_METHOD: 'approle',
  });
  for (const key of ['address', 'key_name', 'approle.role_id_env', 'approle.secret_id_env'])
    assert.match(said, new RegExp(`vault_transit_encrypt\\.${key.replace('.', '\\.')}: is required`));
});
