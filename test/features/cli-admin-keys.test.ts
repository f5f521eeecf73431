/** Named admin keys from the command line: made, used, changed and ended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';

const server = await startAuthServer({ admin: true });
const run = (key: string, ...args: string[]) =>
  runCli(['admin', ...args], { env: { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: key } });
const lines = async (...args: string[]) => {
  const { code, stdout, stderr } = await run(server.adminKey, ...args);
  assert.equal(code, 0, stderr);
  return { lines: stdout.trimEnd().split('\n'), stderr };
};

test('a key is made, works with its role, is changed, and ends', async () => {
  const created = await lines('admin-key', 'create', '--label', 'night job', '--role', 'viewer');
  const [first = '', second = ''] = created.lines;
  const id = /^admin key created: id=(\S+) label="night job" role=viewer status=active expires_at=\S+$/.exec(
    first,
  )?.[1];
  assert.ok(id, first);
  const key = /^key=(asak_\S{43})$/.exec(second)?.[1];
  assert.ok(key, second);
  assert.match(created.stderr, /shown this once/);
  assert.ok(!created.stderr.includes(key));

  assert.match((await run(key, 'whoami')).stdout, new RegExp(`^actor=key:${id} role=viewer label="night job" `));
  assert.equal((await run(key, 'stats')).code, 0);
  assert.match(failedWith(await run(key, 'dcr', 'set', '--mode', 'open'), 3), /role operator/);
  assert.match(failedWith(await run(key, 'admin-key', 'list'), 3), /role owner/);

  const updated = await lines('admin-key', 'update', '--id', id, '--role', 'operator', '--expires-in', 'never');
  assert.match(updated.lines[0] ?? '', /^admin key updated: .*role=operator.*expires_at=never/);
  assert.equal((await run(key, 'dcr', 'set', '--mode', 'open')).code, 0);

  const shown = await lines('admin-key', 'get', '--id', id);
  assert.match(shown.lines[0] ?? '', /created_by=admin/);
  assert.ok(!JSON.stringify([shown, await lines('admin-key', 'list')]).includes(key));

  assert.deepEqual((await lines('admin-key', 'delete', '--id', id)).lines, [`admin key revoked: id=${id}`]);
  failedWith(await run(key, 'whoami'), 3);
  failedWith(await run(server.adminKey, 'admin-key', 'delete', '--id', id), 4);
});

test('with --json the key is a member of the answer', async () => {
  const args = ['admin-key', 'create', '--label', 'x', '--role', 'owner', '--expires-in', '1h', '--json'];
  const { stdout } = await run(server.adminKey, ...args);
  const created = JSON.parse(stdout) as { key: string; expires_at: string };
  assert.match(created.key, /^asak_/);
  assert.ok(Math.abs(Date.parse(created.expires_at) - Date.now() - 3_600_000) < 60_000);
});

test('the key in use is checked, and a wrong command line is told', async () => {
  assert.match((await lines('auth', 'verify')).lines[0] ?? '', /^valid=true actor=admin role=owner version=\S+$/);
  failedWith(await run(server.adminKey, 'admin-key', 'create', '--label', 'x'), 2);
  failedWith(await run(server.adminKey, 'admin-key', 'create', '--label', 'x', '--role', 'root'), 2);
  failedWith(
    await run(server.adminKey, 'admin-key', 'create', '--label', 'x', '--role', 'viewer', '--expires-in', 'x'),
    2,
  );
});
