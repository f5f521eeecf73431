/** NATS with the very files of `deploy/nats`: who may publish, and what is said when somebody is not let in. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NatsSettings } from '@authserver/events';
import { examineNats } from '@authserver/events/nats';
import { connect, type NatsConnection } from 'nats';
import { type AuthServer, soon, startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { feedsHear } from '../support/nats.ts';
import { natsUsers, noNatsServer, startNatsServer } from '../support/nats-server.ts';
import { root } from '../support/server-process.ts';
import { launchServer } from '../support/started-server.ts';
import { ok } from '../support/test-app.ts';

const options = { skip: noNatsServer };
const file = (name: string) => join(root, 'deploy/nats', name);
const asUser = ({ user, password }: { user: string; password: string }) => ({
  NATS_USER: user,
  NATS_PASSWORD: password,
});
/** What is not said over NATS is not said at all. */
const cutNotify = (server: AuthServer) =>
  server.sql(`create or replace function record_change(change_kind text, change_key text) returns bigint
    language sql as $$ insert into changes (kind, key) values (change_kind, change_key) returning version $$`);
const slow = { CHANGES_RECONCILE_INTERVAL: '1h', LOG_STDOUT: 'false' };

const machine = (server: AuthServer) =>
  server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
const troubles = (server: AuthServer, plane: 'token' | 'admin', reason: string) => async () => {
  const of = plane === 'token' ? server.pods : server.admins;
  const rendered = await Promise.all(of.map(({ metrics }) => metrics.render()));
  const line = `authserver_nats_troubles_total{plane="${plane}",reason="${reason}"} `;
  return rendered.every(({ body }) => Number(body.split(line)[1]?.split('\n')[0]) > 0);
};
const suspendReachesPods = async (server: AuthServer) => {
  const app = await machine(server);
  ok(await app.clientCredentials());
  await server.admin.client.suspend({ id: app.clientId });
  await soon('the suspension', async () => (await app.clientCredentials()).status === 401);
};

/** What the server forbids on a connection, as the server says it. */
const refusalsOf = async (connection: NatsConnection, act: () => void): Promise<string[]> => {
  const refusals: string[] = [];
  void (async () => {
    for await (const status of connection.status()) if (status.type === 'error') refusals.push(status.error.message);
  })();
  act();
  await connection.flush();
  await new Promise((resolve) => setTimeout(resolve, 50));
  return refusals;
};

test('a token pod cannot publish, a control plane can, and nobody else gets in [threat M07]', options, async () => {
  const nats = await startNatsServer({ config: file('nats-server.conf') });
  const server = await startAuthServer({
    admin: true,
    env: { ...slow, NATS_URL: nats.url, ...asUser(natsUsers.token) },
    adminEnv: asUser(natsUsers.admin),
  });
  await cutNotify(server);
  await soon('both are connected', () => feedsHear(server, 'nats'), 10_000);
  await suspendReachesPods(server);

  const servers = `127.0.0.1:${nats.port}`;
  const { user, password: pass } = natsUsers.token;
  const pod = await connect({ servers, user, pass });
  const heard = await server.metric('authserver_change_hints_total', { channel: 'nats' });
  const forged = JSON.stringify({ version: 9_999, kind: 'signing_key', key: 'forged' });
  for (const kind of ['signing_key', 'client', '*', 'client.more'])
    assert.match(
      (await refusalsOf(pod, () => pod.publish(`authserver.changes.${kind}`, forged))).join(),
      /permissions violation for publish/i,
    );
  for (const subject of ['>', '*.>', 'authserver.>', '$SYS.>'])
    assert.match(
      (await refusalsOf(pod, () => void pod.subscribe(subject, { callback: () => {} }))).join(),
      /permissions violation for subscription/i,
    );
  await pod.close();
  assert.equal(await server.metric('authserver_change_hints_total', { channel: 'nats' }), heard);

  const strangers = [
    {},
    { user },
    { user, pass: 'wrong' },
    { user: 'admin', pass },
    { user: natsUsers.admin.user, pass },
    { token: pass },
  ];
  for (const stranger of strangers)
    await assert.rejects(connect({ servers, reconnect: false, ...stranger }), /authorization violation/i);
});

test(
  'credentials that are refused are reported, nothing else is missing, and mended ones are taken up',
  options,
  async () => {
    const nats = await startNatsServer({ config: file('nats-server.conf') });
    const server = await startAuthServer({
      admin: true,
      env: { ...slow, NATS_URL: `nats://${natsUsers.token.user}:wrong@127.0.0.1:${nats.port}` },
      adminEnv: { NATS_URL: nats.url },
    });
    await soon('the pod says so', troubles(server, 'token', 'unauthorized'), 10_000);
    await soon('the control plane says so', troubles(server, 'admin', 'unauthorized'), 10_000);
    await suspendReachesPods(server);
  },
);

test('a control plane that may not publish is reported, and the changes take the other way', options, async () => {
  const nats = await startNatsServer({ config: file('nats-server.conf') });
  const server = await startAuthServer({
    admin: true,
    env: { ...slow, NATS_URL: nats.url, ...asUser(natsUsers.token) },
  });
  await suspendReachesPods(server);
  await soon('it says so', troubles(server, 'admin', 'forbidden'), 10_000);
  assert.equal(await feedsHear(server, 'nats'), false);
  await suspendReachesPods(server);
});

test('a pod under a prefix it has no right to is reported', options, async () => {
  const nats = await startNatsServer({ config: file('nats-server.conf') });
  const env = { ...slow, NATS_URL: nats.url, NATS_SUBJECT_PREFIX: 'elsewhere', ...asUser(natsUsers.token) };
  const server = await startAuthServer({ admin: true, env });
  await soon('it says so', troubles(server, 'token', 'forbidden'), 10_000);
  await suspendReachesPods(server);
});

test('over TLS', options, async () => {
  const nats = await startNatsServer({ config: file('nats-server-tls.conf') });
  const env = { ...slow, NATS_URL: `tls://127.0.0.1:${nats.port}`, ...asUser(natsUsers.token) };
  const start = (ca: string) =>
    startAuthServer({ admin: true, env: { ...env, NATS_TLS_CA_PATH: ca }, adminEnv: asUser(natsUsers.admin) });
  const good = await start(nats.files.certificate);
  await cutNotify(good);
  await soon('both are connected', () => feedsHear(good, 'nats'), 10_000);
  await suspendReachesPods(good);
  const bad = await start(nats.files.otherAuthority);
  await soon('the pod says so', troubles(bad, 'token', 'tls'), 10_000);
  await soon('the control plane says so', troubles(bad, 'admin', 'tls'), 10_000);
  await suspendReachesPods(bad);
});

test('every way not to get in is told apart', options, async () => {
  const nats = await startNatsServer({ config: file('nats-server.conf') });
  const secure = await startNatsServer({ config: file('nats-server-tls.conf') });
  const plainUrl = { url: [nats.url], tls: {}, subject_prefix: 'authserver' };
  const tlsUrl = { ...natsUsers.token, url: [`tls://127.0.0.1:${secure.port}`], subject_prefix: 'authserver' };
  const trusting = { ca_path: secure.files.certificate };
  const { admin, token } = natsUsers;
  const cases: [settings: NatsSettings, expected: Record<string, unknown>][] = [
    [
      { ...plainUrl, ...admin },
      { maySubscribe: true, mayPublish: true, tls: false },
    ],
    [
      { ...plainUrl, ...token },
      { maySubscribe: true, mayPublish: false },
    ],
    [
      { ...plainUrl, ...token, subject_prefix: 'other' },
      { maySubscribe: false, mayPublish: false },
    ],
    [{ ...plainUrl, url: [`nats://${token.user}:${token.password}@127.0.0.1:${nats.port}`] }, { maySubscribe: true }],
    [{ ...plainUrl, ...token, url: ['nats://127.0.0.1:1', nats.url] }, { maySubscribe: true }],
    [plainUrl, { trouble: 'unauthorized' }],
    [{ ...plainUrl, user: token.user, password: 'wrong' }, { trouble: 'unauthorized' }],
    [{ ...plainUrl, token: 'wrong' }, { trouble: 'unauthorized' }],
    [{ ...plainUrl, url: ['nats://127.0.0.1:1'] }, { trouble: 'unreachable' }],
    [{ ...plainUrl, url: ['nats://nowhere.invalid'] }, { trouble: 'unreachable' }],
    [
      { ...tlsUrl, tls: trusting },
      { maySubscribe: true, mayPublish: false, tls: true },
    ],
    [{ ...tlsUrl, tls: {} }, { trouble: 'tls' }], // the authorities of the system have not signed it
    [{ ...tlsUrl, url: [`nats://127.0.0.1:${secure.port}`], tls: {} }, { trouble: 'tls' }],
    [{ ...tlsUrl, tls: { ca_path: secure.files.otherAuthority } }, { trouble: 'tls' }],
    [{ ...tlsUrl, tls: { ca_path: '/nowhere/ca.pem' } }, { trouble: 'tls' }],
    [{ ...tlsUrl, tls: { ca_path: secure.files.key } }, { trouble: 'tls' }], // no certificate at all
    [
      { ...tlsUrl, tls: { ...trusting, cert_path: secure.files.certificate, key_path: '/nowhere' } },
      { trouble: 'tls' },
    ],
    [{ ...tlsUrl, url: [`tls://127.0.0.1:${nats.port}`], tls: trusting }, { trouble: 'tls' }], // it has none
  ];
  for (const [settings, expected] of cases) {
    const found = await examineNats(settings, 'test');
    assert.deepEqual({ ...found, ...expected }, found, JSON.stringify([settings, expected]));
  }
});

test('doctor says what the credentials allow, and what is wrong', options, async () => {
  const server = await startAuthServer();
  const { url } = await startNatsServer({ config: file('nats-server.conf') });
  const examine = async (nats: Record<string, unknown>, admin: boolean) => {
    const config = await server.configFile({ nats, admin: { enabled: admin } });
    const { code, stdout, stderr } = await runCli(['doctor', '--config', config, '--json']);
    assert.ok(!`${stdout}${stderr}`.includes('hunter2-canary'));
    const findings = (JSON.parse(stdout).findings as { side: string; status: string; detail: string }[]).filter(
      ({ side }) => side === 'NATS',
    );
    return { code, said: findings.map(({ status, detail }) => `${status}: ${detail}`).join('\n') };
  };
  const refused = await examine({ url, user: 'authserver-admin', password: 'hunter2-canary' }, true);
  assert.deepEqual([refused.code, /^problem: 127\.0\.0\.1:\d+ refuses the credentials$/.test(refused.said)], [1, true]);
  const { said } = await examine({ url, ...natsUsers.admin }, false);
  assert.match(said, /^ok: version \S+ answers\nwarning: a token pod may publish to authserver\.changes\.\*$/);
});

test('the log names the server and the reason, once, and no secret', options, async () => {
  const nats = await startNatsServer({ config: file('nats-server.conf') });
  const secret = 'hunter2-canary';
  const server = await launchServer({
    env: { NATS_URL: `nats://authserver-token:${secret}@127.0.0.1:${nats.port}`, LOG_LEVEL: 'debug' },
  });
  const line = /"plane":"token".*"reason":"unauthorized".*NATS refuses the credentials/;
  await server.process.printed(line);
  await new Promise((resolve) => setTimeout(resolve, 1_500)); // several attempts
  const said = server.process.stdout().split('\n');
  assert.equal(said.filter((text) => line.test(text)).length, 1);
  assert.ok(said.some((text) => text.includes(`"servers":"127.0.0.1:${nats.port}"`)));
  assert.ok(!`${server.process.stdout()}${server.process.stderr()}`.includes(secret));
});
