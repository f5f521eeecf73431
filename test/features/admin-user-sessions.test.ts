import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { startAuthServer, type TestUser } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { denied, ok, type TestApp, type Tokens } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const { admin } = server;
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const wishes = { resource: resource.uri, scope: 'tools/read' };

type Life = { user: TestUser; app: TestApp; tokens: Tokens; browser: TestBrowser; thief: TestBrowser };

/** Somebody who is signed in, uses an app, and whose cookie a thief has copied. */
const life = async (): Promise<Life> => {
  const user = await server.user();
  const app = await server.client();
  const browser = new TestBrowser();
  const tokens = ok(await app.redeem(await app.code({ user, ...wishes }, browser)));
  const thief = new TestBrowser();
  for (const [name, value] of browser.cookies) thief.cookies.set(name, value);
  return { user, app, tokens, browser, thief };
};

/** Whether the browser's cookie still signs it in: then no login page is shown. */
const signedIn = async (app: TestApp, browser: TestBrowser): Promise<boolean> => {
  const page = await browser.follow(await app.start(wishes, browser));
  return !new URL(page.url).pathname.endsWith('/login');
};

const alive = async ({ app, tokens, browser, thief }: Life): Promise<boolean[]> => [
  await signedIn(app, browser),
  await signedIn(app, thief),
  ...(await Promise.all([0, 1].map(async (pod) => ok(await guard.introspect(tokens.access_token, pod)).active))),
];
const everything = [true, true, true, true];
const none = [false, false, false, false];

test('nothing ends before somebody ends it', async () => {
  assert.deepEqual(await alive(await life()), everything);
});

for (const [name, end] of Object.entries({
  'force-logout': async ({ user }: Life) => {
    const answer = await server.adminRequest('DELETE', `/admin/users/${user.id}/tokens`);
    assert.deepEqual([answer.status, answer.body], [200, { user_id: user.id, tokens_revoked: 1 }]);
  },
  'a new password': async ({ user }: Life) => {
    await admin.user.update({ id: user.id, body: { password: 'another password, as good' } });
  },
  'disabling the user': async ({ user }: Life) => {
    assert.deepEqual(await admin.user.disable({ id: user.id }), { status: 'disabled' });
  },
  'deleting the user': async ({ user }: Life) => {
    await admin.user.delete({ id: user.id, query: { force: 'true' } });
  },
}))
  test(`${name} ends the session, the copied cookie, refresh and access tokens, and nobody else's [R9700-11] [threat D07 H07 H14 I02]`, async () => {
    const [mine, other] = [await life(), await life()];
    const code = await mine.app.code({ user: mine.user, ...wishes }, mine.browser);
    const { audit } = await traceOf(server, () => end(mine));
    const { details } = audit.find((event) => 'ended_sessions' in event.details) ?? {};
    assert.deepEqual([details?.ended_sessions, details?.revoked_families], [1, 1]);
    assert.deepEqual(await alive(mine), none);
    for (const pod of [0, 1]) denied(await mine.app.refresh(mine.tokens.refresh_token, {}, pod), 'invalid_grant');
    denied(await mine.app.redeem(code, {}, 1), 'invalid_grant');
    assert.deepEqual(await alive(other), everything);
    ok(await other.app.refresh(other.tokens.refresh_token));
  });

test('after force-logout the user may sign in again', async () => {
  const { user, app, tokens } = await life();
  await admin.user.forceLogout({ id: user.id });
  const again = await app.authorize({ user, ...wishes });
  assert.equal(ok(await guard.introspect(again.access_token)).active, true);
  assert.equal(ok(await guard.introspect(tokens.access_token)).active, false);
  assert.equal((await admin.user.forceLogout({ id: user.id })).tokens_revoked, 1);
  assert.equal((await admin.user.forceLogout({ id: user.id })).tokens_revoked, 0);
});

test('a new password is the one that works', async () => {
  const { user, app } = await life();
  await admin.user.update({ id: user.id, body: { password: 'another password, as good' } });
  await assert.rejects(app.authorize({ user, ...wishes }));
  ok(await app.redeem(await app.code({ user: { ...user, password: 'another password, as good' }, ...wishes })));
});

test('a disabled user cannot sign in; enabled again they can, but what was ended stays ended', async () => {
  const mine = await life();
  await admin.user.disable({ id: mine.user.id });
  await assert.rejects(mine.app.authorize({ user: mine.user, ...wishes }));
  assert.deepEqual(await admin.user.enable({ id: mine.user.id }), { status: 'active' });
  assert.deepEqual(await alive(mine), none);
  await mine.app.authorize({ user: mine.user, ...wishes });
});

test('disabling twice and enabling the enabled are conflicts without a trace', async () => {
  const { id } = await server.user();
  const send = (verb: string) => server.adminRequest('PATCH', `/admin/users/${id}/${verb}`);
  const none = await traceOf(server, async () => {
    assert.match(refused(await send('enable'), 'conflict'), /active/);
  });
  assert.deepEqual(none, nothing);
  await admin.user.disable({ id });
  const again = await traceOf(server, async () => {
    assert.match(refused(await send('disable'), 'conflict'), /disabled/);
  });
  assert.deepEqual(again, nothing);
});

test('a changed name ends nothing', async () => {
  const mine = await life();
  await admin.user.update({ id: mine.user.id, body: { name: 'New' } });
  assert.deepEqual(await alive(mine), everything);
});
