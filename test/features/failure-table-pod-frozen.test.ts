/**
 * A pod that stands still, as a paused machine does, has requests in its sockets and carries them out when it goes on; by then
 * the client has its answer from another pod. Nothing tells that from a theft.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase } from '../support/database.ts';
import { freePorts } from '../support/server-process.ts';
import { startServer } from '../support/started-server.ts';
import { denied, ok, TestApp } from '../support/test-app.ts';

const { dsn, drop } = await createDatabase();
const env = { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn };
const first = await startServer({ env });
const [token = 0, internal = 0] = await freePorts(2);
const second = await startServer({
  env: { ...env, SERVER_ISSUER: first.issuer },
  directory: first.directory,
  ports: { ...first.ports, token, internal },
  role: 'token',
});
after(async () => {
  await Promise.all([first.stop(), second.stop()]);
  await drop();
});

const [standing, frozen] = [0, 1];
const user = await first.user();
const resource = 'https://notes.example.com/mcp';
await first.resource({ slug: 'notes', uri: resource });
const registered = await first.client({
  grantTypes: ['authorization_code', 'refresh_token'],
  redirectUris: ['https://app.example.com/cb'],
});
const app = new TestApp([first.issuer, `http://localhost:${token}`], registered);

/** A refresh that the frozen pod holds, and what the other one gave for the same token meanwhile. */
const refreshHeld = async () => {
  const { refresh_token } = await app.authorize({ user, resource });
  second.process.signal('SIGSTOP');
  const held = app.refresh(refresh_token, {}, frozen);
  await sleep(100);
  return { held, next: ok(await app.refresh(refresh_token, {}, standing)) };
};

test('a refresh that a frozen pod carries out after its successor was used ends the family', async () => {
  const { held, next } = await refreshHeld();
  const last = ok(await app.refresh(next.refresh_token, {}, standing));
  second.process.signal('SIGCONT');
  denied(await held, 'invalid_grant');
  denied(await app.refresh(last.refresh_token, {}, standing), 'invalid_grant');
  assert.equal(ok(await app.introspect(last.access_token)).active, false);
});

test('one whose successor was not used yet gets the same successor', async () => {
  const { held, next } = await refreshHeld();
  second.process.signal('SIGCONT');
  assert.equal(ok(await held).refresh_token, next.refresh_token);
  ok(await app.refresh(next.refresh_token, {}, standing));
});
