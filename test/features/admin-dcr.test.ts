import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { startServer } from '../support/started-server.ts';

const approved = 'https://approved.example.com/cb';
const server = await startAuthServer({ admin: 2, pods: 2, env: { DCR_APPROVED_REDIRECTS: approved } });
const { admin } = server;

const register = async (redirectUri: string, pod: number): Promise<number> => {
  const response = await fetch(`${server.pods[pod]?.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Stranger', redirect_uris: [redirectUri] }),
  });
  await response.text();
  return response.status;
};
/** Whether each pod takes a stranger, and one with an approved redirect URI. */
const policyOf = (pod: number) =>
  Promise.all(['https://other.example.com/cb', approved].map(async (uri) => (await register(uri, pod)) === 201));
const bothPods = (wanted: boolean[]) =>
  soon('the registration mode', async () => {
    const both = await Promise.all([0, 1].map(policyOf));
    return both.every((pod) => String(pod) === String(wanted));
  });
const isAdvertised = async (pod: number): Promise<boolean> => {
  const response = await fetch(`${server.pods[pod]?.url}/.well-known/oauth-authorization-server`);
  return 'registration_endpoint' in ((await response.json()) as object);
};

test('registration is as configured until somebody sets it', async () => {
  assert.deepEqual(await admin.dcr.get(), { mode: 'open' });
  assert.deepEqual(await server.sql('select 1 from settings'), []);
  await bothPods([true, true]);
});

for (const [mode, wanted] of Object.entries({
  admin_only: [false, false],
  approved_redirects: [false, true],
  open: [true, true],
}) as ['open', boolean[]][])
  test(`${mode} is in force on both pods within a second, and in their metadata [threat G13]`, async () => {
    const answer = await server.adminRequest('PATCH', '/admin/settings/dcr', { mode });
    assert.deepEqual([answer.status, answer.body], [200, { mode }]);
    await bothPods(wanted);
    for (const pod of [0, 1]) assert.equal(await isAdvertised(pod), wanted.includes(true));
    assert.deepEqual(await admin.dcr.get(), { mode });
    assert.equal((await admin.system.config()).dcr.mode, mode);
  });

test('the mode is kept: a control plane that starts later shows it, whatever is configured there', async () => {
  await admin.dcr.set({ body: { mode: 'admin_only' } });
  const later = await runCli(['admin', 'dcr', 'get', '--config', await server.configFile({ dcr: { mode: 'open' } })]);
  assert.deepEqual([later.code, later.stdout], [0, 'DCR mode: admin_only\n']);
  await admin.dcr.set({ body: { mode: 'open' } });
});

test('a token service that starts later goes by the mode that was set, not by its configuration', async () => {
  const started = (mode: string) =>
    startServer({
      role: 'token',
      env: {
        STORAGE_DRIVER: 'postgres',
        STORAGE_POSTGRES_DSN: server.dsn,
        SIGNING_KEY_PATH: server.config.signing.key_path,
        DCR_MODE: mode,
      },
    });
  const statusAt = async (issuer: string): Promise<number> => {
    const response = await fetch(`${issuer}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'Stranger', redirect_uris: ['https://other.example.com/cb'] }),
    });
    await response.text();
    return response.status;
  };
  await admin.dcr.set({ body: { mode: 'admin_only' } });
  const closed = await started('open');
  assert.notEqual(await statusAt(closed.issuer), 201);
  await closed.stop();
  await admin.dcr.set({ body: { mode: 'open' } });
  const open = await started('admin_only');
  assert.equal(await statusAt(open.issuer), 201);
  // And one that runs follows, though nobody told its configuration.
  await admin.dcr.set({ body: { mode: 'admin_only' } });
  await soon('the mode', async () => (await statusAt(open.issuer)) !== 201);
  await open.stop();
  await admin.dcr.set({ body: { mode: 'open' } });
});

test('the mode that one control plane sets, the other shows', async () => {
  for (const mode of ['admin_only', 'open'])
    for (const [setter, reader] of [server.admins, server.admins.toReversed()]) {
      assert.ok(setter && reader);
      assert.equal((await askAdmin(setter, 'PATCH', '/admin/settings/dcr', { mode })).status, 200);
      assert.deepEqual((await askAdmin(reader, 'GET', '/admin/settings/dcr')).body, { mode });
    }
});

test('setting the mode that is set already changes nothing; setting the one that is only configured does', async () => {
  await admin.dcr.set({ body: { mode: 'admin_only' } });
  const again = await traceOf(server, async () => {
    const { status, body } = await server.adminRequest('PATCH', '/admin/settings/dcr', { mode: 'admin_only' });
    assert.deepEqual([status, body], [200, { mode: 'admin_only' }]);
  });
  assert.deepEqual(again, nothing);
  await admin.dcr.set({ body: { mode: 'open' } });

  const fresh = await startAuthServer({ admin: true });
  const { audit } = await traceOf(fresh, () => fresh.admin.dcr.set({ body: { mode: 'open' } }));
  assert.equal(audit.length, 1, 'from now on the configuration does not decide');
});

test('approved_redirects without any is refused: nobody could register', async () => {
  const without = await startAuthServer({ admin: true });
  const trace = await traceOf(without, async () => {
    const answer = await without.adminRequest('PATCH', '/admin/settings/dcr', { mode: 'approved_redirects' });
    assert.match(refused(answer, 'conflict'), /dcr\.approved_redirects is empty/);
  });
  assert.deepEqual(trace, nothing);
  const env = { AUTHPLANE_ADMIN_URL: without.adminUrl, AUTHPLANE_ADMIN_API_KEY: without.adminKey };
  const told = await runCli(['admin', 'dcr', 'set', '--mode', 'approved_redirects'], { env });
  assert.match(failedWith(told, 5), /approved_redirects/);
  assert.deepEqual(await without.admin.dcr.get(), { mode: 'open' });
});

test('a change of the mode is recorded with what it was', async () => {
  const { audit, changes } = await traceOf(server, () => admin.dcr.set({ body: { mode: 'admin_only' } }));
  assert.deepEqual(
    audit.map(({ action, details }) => [action, details]),
    [['dcr.mode_updated', { before: { mode: 'open' }, after: { mode: 'admin_only' } }]],
  );
  assert.deepEqual(changes, [{ kind: 'dcr_mode', key: 'dcr_mode' }]);
});

test('whatever is no mode is refused', async () => {
  const trace = await traceOf(server, async () => {
    for (const body of [{}, { mode: '' }, { mode: 'closed' }, { mode: 'OPEN' }, { mode: null }, { mode: 'open', x: 1 }])
      refused(await server.adminRequest('PATCH', '/admin/settings/dcr', body), 'invalid_request');
  });
  assert.deepEqual(trace, nothing);
});
