import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { feedsHear, natsSettings, natsStranger } from '../support/nats.ts';
import { denied, ok, type TestApp } from '../support/test-app.ts';

/** Nothing notifies these pods, and their interval is an hour: what they hear, they hear over NATS. */
const settings = await natsSettings();
const server = await startAuthServer({
  pods: 2,
  admin: 2,
  env: { ...settings, CHANGES_RECONCILE_INTERVAL: '1h', DCR_MODE: 'open' },
});
await server.sql(`create or replace function record_change(change_kind text, change_key text) returns bigint
  language sql as $$ insert into changes (kind, key) values (change_kind, change_key) returning version $$`);
const stranger = await natsStranger(settings.NATS_URL);
after(() => stranger.close());
const subject = (kind: string) => `${settings.NATS_SUBJECT_PREFIX}.changes.${kind}`;
const both = [0, 1];

await soon('every pod and control plane is connected to NATS', () => feedsHear(server, 'nats'), 10_000);

const machine = () =>
  server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
const everywhere = (what: string, holds: (pod: number) => Promise<boolean>) =>
  soon(what, async () => (await Promise.all(both.map(holds))).every(Boolean), 3_000);
const works = (app: TestApp) => async (pod: number) => (await app.clientCredentials({}, pod)).status === 200;
const fails = (app: TestApp) => async (pod: number) => !(await works(app)(pod));
const hints = (outcome: string) => server.metric('authserver_change_hints_total', { channel: 'nats', outcome });
const reads = (cause: string) => server.metric('authserver_change_feed_reads_total', { plane: 'token', cause });
const newest = async () => Number((await server.sql('select max(version) as version from changes'))[0]?.version ?? 0);
const said = (message: { version: number; kind?: string; key?: string }) =>
  JSON.stringify({ kind: 'client', key: 'x', ...message });

test('a suspended client, over NATS alone, whichever control plane did it', async () => {
  const app = await machine();
  for (const pod of both) ok(await app.clientCredentials({}, pod));
  for (const [n, admin] of server.admins.entries()) {
    await admin.client.client.suspend({ id: app.clientId });
    await everywhere(`the suspension by ${n}`, fails(app));
    await admin.client.client.reactivate({ id: app.clientId });
    await everywhere(`the reactivation by ${n}`, works(app));
  }
});

test('the registration mode, over NATS alone', async () => {
  const register = async (pod: number) =>
    (
      await fetch(`${server.pods[pod]?.url}/oauth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ client_name: 'x', redirect_uris: ['https://app.example.com/cb'] }),
      })
    ).status;
  for (const pod of both) assert.equal(await register(pod), 201);
  await server.admin.dcr.set({ body: { mode: 'admin_only' } });
  await everywhere('the mode', async (pod) => (await register(pod)) === 403);
  await server.admin.dcr.set({ body: { mode: 'open' } });
  await everywhere('the mode', async (pod) => (await register(pod)) === 201);
});

test('a resource that goes, over NATS alone', async () => {
  const app = await machine();
  const { id, uri } = await server.admin.resource.create({
    body: { slug: 'nats-mcp', uri: 'https://nats-mcp.example.com/mcp', scopes: [{ name: 'tools/read' }] },
  });
  const granted = async (pod: number) => (await app.clientCredentials({ resource: uri }, pod)).status === 200;
  await everywhere('the resource', granted);
  await server.admin.resource.delete({ id });
  await everywhere('its end', async (pod) => !(await granted(pod)));
});

test('a rotated signing key, over NATS alone', async () => {
  const app = await machine();
  const { kid } = await server.admin.key.rotate({ body: { force: true } });
  const kidOf = async (pod: number) => {
    const { access_token } = ok(await app.clientCredentials({}, pod));
    return JSON.parse(Buffer.from(access_token.split('.')[0] ?? '', 'base64url').toString()).kid as string;
  };
  await everywhere('the new key', async (pod) => (await kidOf(pod)) === kid);
});

test('replayed, doubled and reordered messages are dropped without a read, and undo nothing [threat M07]', async () => {
  const app = await machine();
  await server.admin.client.suspend({ id: app.clientId });
  await everywhere('the suspension', fails(app));
  const rows = await server.sql<{ version: string; kind: string; key: string }>(
    'select version, kind, key from changes order by version desc',
  );
  const applied = async () => server.metric('authserver_change_feed_version', { plane: 'token' });
  const last = await newest();
  await soon('all is applied', async () => (await applied()) === both.length * last);
  const before = { reads: await reads('hint'), known: await hints('known') };
  const replayed = [...rows, ...rows, ...rows.toReversed()];
  for (const { version, kind, key } of replayed)
    await stranger.publish(subject(kind), JSON.stringify({ version: Number(version), kind, key }));
  await soon('all are dropped', async () => (await hints('known')) === before.known + 2 * replayed.length);
  assert.equal(await reads('hint'), before.reads);
  for (const pod of both) denied(await app.clientCredentials({}, pod), 'invalid_client');
});

test('forged messages cost a bounded number of reads, change nothing, and hide nothing [threat M07]', async () => {
  const app = await machine();
  for (const pod of both) ok(await app.clientCredentials({}, pod));
  const last = await newest();
  const before = { reads: await reads('hint'), lies: (await hints('false')) + (await hints('excess')) };
  for (let n = 0; n < 3_000; n += 1)
    stranger.connection.publish(
      subject('client'),
      said({ version: n % 2 === 0 ? Number.MAX_SAFE_INTEGER - n : last + 50 + n, key: app.clientId }),
    );
  await stranger.connection.flush();
  await soon(
    'they are all judged',
    async () => (await hints('false')) + (await hints('excess')) === before.lies + 6_000,
    5_000,
  );
  const caused = (await reads('hint')) - before.reads;
  assert.ok(caused <= 40, `${caused} reads for 6000 messages`);
  for (const pod of both) ok(await app.clientCredentials({}, pod));
  await server.admin.client.suspend({ id: app.clientId });
  await everywhere('a true change after them', fails(app));
  for (const pod of server.pods) assert.equal(pod.service.feedStatus().version, await newest());
});

test('what is no message of ours is dropped by its reason, and read for nothing [threat M06 M07]', async () => {
  const before = await reads('hint');
  const huge = JSON.stringify({ version: (await newest()) + 1, kind: 'client', key: 'k'.repeat(900_000) });
  const cases: [outcome: string, subject: string, payload: string | Uint8Array][] = [
    ['malformed', 'client', ''],
    ['malformed', 'client', '{'],
    ['malformed', 'client', 'null'],
    ['malformed', 'client', said({ version: -1 })],
    ['malformed', 'client', said({ version: 1e300 })],
    ['malformed', 'client', '{"version":"1","kind":"client","key":"x"}'],
    ['malformed', 'client', Buffer.from([0xff, 0x00, 0xfe])],
    ['oversized', 'client', huge],
    ['wrong_subject', 'client', said({ version: 1e9, kind: 'signing_key' })],
    ['wrong_subject', '*', said({ version: 1e9 })],
    ['wrong_subject', '>', said({ version: 1e9 })],
    ['unknown_kind', 'config', said({ version: 1e9, kind: 'config' })],
    ['unknown_kind', '__proto__', said({ version: 1e9, kind: '__proto__' })],
  ];
  for (const [outcome, kind, payload] of cases) {
    const count = await hints(outcome);
    await stranger.publish(subject(kind), payload);
    await soon(`${outcome} on ${kind}`, async () => (await hints(outcome)) === count + both.length);
  }
  assert.equal(await reads('hint'), before);
});

test('a control plane started again repeats the newest change, and pods know it', async () => {
  const before = await hints('known');
  const seen: string[] = [];
  const subscription = stranger.connection.subscribe(subject('*'));
  void (async () => {
    for await (const message of subscription) seen.push(message.string());
  })();
  await stranger.connection.flush();
  await server.startAnotherAdmin();
  await soon('the repetition', async () => seen.length > 0, 5_000);
  assert.deepEqual(
    seen.map((text) => JSON.parse(text).version),
    [await newest()],
  );
  await soon('it is known', async () => (await hints('known')) === before + both.length);
  subscription.unsubscribe();
});
