import assert from 'node:assert/strict';
import { chmod, readFile, readlink, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { emptyDirectory } from '../support/server-process.ts';
import { launchServer, startServer } from '../support/started-server.ts';

test('lost signing keys are not replaced in silence, neither at start nor on SIGHUP', async () => {
  const first = await startServer();
  const { directory, ports } = first;
  const keys = join(directory, 'data/keys');
  const kids = async () =>
    ((await (await fetch(`${first.issuer}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] }).keys.map(
      ({ kid }) => kid,
    );
  const before = await kids();

  await rename(keys, `${keys}-away`);
  first.process.signal('SIGHUP');
  await first.process.printed('could not be reloaded');
  assert.deepEqual(await kids(), before, 'the keys in use stay in use');
  await first.stop();

  await rm(keys, { recursive: true, force: true });
  const refused = await launchServer({ directory, ports });
  assert.deepEqual(await refused.process.ended(), { code: 1, signal: null });
  assert.match(refused.process.stderr(), /holds no signing keys, but there were some/);

  await rm(keys, { recursive: true, force: true });
  const anew = await startServer({ directory, ports, flags: ['--new-signing-keys'] });
  assert.ok((await kids()).every((kid) => !before.includes(kid)));
  await anew.stop();
});

test('a generated secret that others can read is refused', async () => {
  const first = await startServer();
  await first.stop();
  const { directory, ports } = first;
  await chmod(join(directory, 'data/session-secret'), 0o644);
  const refused = await launchServer({ directory, ports });
  assert.deepEqual(await refused.process.ended(), { code: 1, signal: null });
  assert.match(refused.process.stderr(), /session-secret can be read by other users/);
});

test('a role with nothing to serve is an error', async () => {
  const server = await launchServer({ role: 'admin', env: { ADMIN_ENABLED: 'false' } });
  assert.deepEqual(await server.process.ended(), { code: 1, signal: null });
  assert.match(server.process.stderr(), /nothing to serve/);
});

test('the notes at start speak of the registration mode in effect', async () => {
  const first = await startServer();
  const { directory, ports } = first;
  assert.match(first.process.stdout(), /dcr\.mode is open/);
  await first.cli(['admin', 'dcr', 'set', '--mode', 'admin_only']);
  await first.stop();
  const second = await startServer({ directory, ports });
  assert.doesNotMatch(second.process.stdout(), /dcr\.mode is open/);
  await second.stop();
});

test('a server whose embedded database is gone ends, and the next start recovers', async () => {
  const first = await startServer();
  const { directory, ports } = first;
  const lock = await readFile(join(directory, 'data/postgres/postmaster.pid'), 'utf8');
  const pid = Number(lock.split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  assert.equal((await first.process.ended()).code, 1);
  assert.match(first.process.stderr(), /embedded database has ended/);
  const second = await startServer({ directory, ports });
  await second.stop();
});

test('deleting the data directory starts anew, also where the database had to live elsewhere', async () => {
  const home = await emptyDirectory();
  await chmod(home, 0o700); // as root, PostgreSQL's account cannot pass this
  const first = await startServer({ directory: home });
  const { ports } = first;
  await first.stop();
  await rm(join(home, 'data'), { recursive: true });
  const second = await startServer({ directory: home, ports });
  assert.match(second.process.stdout(), /shown this once/);
  await second.stop();
  const elsewhere = await readlink(join(home, 'data/postgres')).catch(() => undefined);
  if (elsewhere !== undefined) await rm(dirname(elsewhere), { recursive: true });
});
