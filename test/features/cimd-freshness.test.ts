/** How long a metadata document is believed, and what becomes of its client when it changes or goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { assertionType, type ClientKey, newClientKey, signAssertion } from '../support/client-assertion.ts';
import { localFetch, startMetadataHost } from '../support/metadata-host.ts';
import { answerConsent, denied, deniedByPage, ok, signIn, TestApp } from '../support/test-app.ts';

const redirectUris = ['https://app.example.com/cb'];
const server = await startAuthServer({
  pods: 2,
  env: { ...localFetch, CIMD_CACHE_TTL: '10m' },
});
const host = await startMetadataHost();
const user = await server.user();
const { uri: resource } = await server.resource();

let made = 0;
const publish = (path: string, change: Record<string, unknown> = {}, cacheControl?: string) =>
  host.publish(
    path,
    (url) => ({ client_id: url, client_name: 'Document App', redirect_uris: redirectUris, ...change }),
    cacheControl === undefined ? {} : { 'cache-control': cacheControl },
  );
const client = (cacheControl?: string, change: Record<string, unknown> = {}) => {
  const path = `/client-${++made}.json`;
  const app = new TestApp(
    server.pods.map(({ url }) => url),
    { clientId: publish(path, change, cacheControl), clientSecret: undefined, authMethod: 'none', redirectUris },
  );
  return { app, path, change: (to: Record<string, unknown>) => publish(path, to, cacheControl) };
};
const fetched = (path: string) => host.count(path);
const signedIn = async (app: TestApp) => {
  const browser = new TestBrowser();
  await app.code({ user, resource }, browser);
  return browser;
};

test('a document is fetched once for as long as its host lets it be kept [MCP-31 CIMD-11]', async () => {
  const kept = client('max-age=300');
  await kept.app.authorize({ user, resource });
  await kept.app.authorize({ user, resource });
  assert.equal(fetched(kept.path), 1);
  server.clock.advance(301);
  await kept.app.authorize({ user, resource });
  assert.equal(fetched(kept.path), 2);
});

test('at least for a minute, and never for longer than cimd.cache_ttl [CIMD-11]', async () => {
  const short = client('max-age=1');
  const long = client('max-age=31536000');
  await short.app.start({ resource });
  await long.app.start({ resource });
  server.clock.advance(50);
  await short.app.start({ resource });
  assert.equal(fetched(short.path), 1);
  server.clock.advance(11);
  await short.app.start({ resource });
  assert.equal(fetched(short.path), 2);
  server.clock.advance(600);
  await long.app.start({ resource });
  assert.equal(fetched(long.path), 2);
});

test('no-store is respected [MCP-31 CIMD-11]', async () => {
  const never = client('no-store');
  await never.app.start({ resource });
  await never.app.start({ resource });
  assert.equal(fetched(never.path), 2);
});

test('many at once share one fetch [threat G08]', async () => {
  const { app, path } = client();
  host.on(path, (_request, response) => {
    const document = { client_id: app.clientId, client_name: 'Slow App', redirect_uris: redirectUris };
    setTimeout(() => response.setHeader('content-type', 'application/json').end(JSON.stringify(document)), 200);
  });
  const starts = await Promise.all(Array.from({ length: 20 }, () => app.start({ resource })));
  for (const page of starts) assert.match(page.location?.pathname ?? '', /login$/);
  assert.equal(fetched(path), 1);
  assert.ok((await server.metric('authserver_cimd_fetch_suppressed_total', { reason: 'single_flight' })) >= 19);
});

test('a redirect URI that disappeared stops working when the document was to be fetched again [threat G10]', async () => {
  const two = ['https://app.example.com/cb', 'https://old.example.com/cb'];
  const { app, change } = client('max-age=60', { redirect_uris: two });
  await app.authorize({ user, resource, redirectUri: 'https://old.example.com/cb' });
  change({});
  server.clock.advance(61);
  deniedByPage(await app.start({ resource, redirect_uri: 'https://old.example.com/cb' }));
  assert.match((await app.start({ resource })).location?.pathname ?? '', /login$/);
});

test('consent is asked for again when name, addresses or keys change [threat G10]', async () => {
  for (const changed of [
    { client_name: 'Another App' },
    { redirect_uris: [...redirectUris, 'https://evil.example/cb'] },
  ]) {
    const { app, path, change } = client('max-age=60');
    const browser = await signedIn(app);
    const again = async () => browser.follow(await app.start({ resource }, browser));
    assert.ok((await again()).location?.searchParams.get('code'), 'nothing changed, nothing is asked');
    change({ ...changed, agent: true });
    server.clock.advance(61);
    const page = await again();
    assert.match(new URL(page.url).pathname, /consent$/, `${path} ${JSON.stringify(changed)}`);
    assert.ok((await answerConsent(browser, page, 'allow')).location?.searchParams.get('code'));
    await soon('once is enough', async () => (await again()).location?.searchParams.has('code') ?? false);
    const audit = await server.sql(
      `select details from audit_events where action = 'client.document_changed' and client_id = $1`,
      [app.clientId],
    );
    assert.equal(audit.length, 1);
    assert.equal((audit[0]?.details as { identity_changed: boolean } | undefined)?.identity_changed, true);
  }
});

test('a change that is nobody’s concern asks nobody', async () => {
  const { app, change } = client('max-age=60');
  const browser = await signedIn(app);
  change({ agent_description: 'a helper', x_vendor: 2 });
  server.clock.advance(61);
  const page = await browser.follow(await app.start({ resource }, browser));
  assert.ok(page.location?.searchParams.get('code'));
});

test('when the host of the document is down nobody is logged out, and nobody new gets in [CIMD-10]', async () => {
  const elsewhere = await startMetadataHost();
  const clientId = elsewhere.publish('/client.json', (url) => ({
    client_id: url,
    client_name: 'Fragile App',
    redirect_uris: redirectUris,
  }));
  const app = new TestApp(
    server.pods.map(({ url }) => url),
    { clientId, clientSecret: undefined, authMethod: 'none', redirectUris },
  );
  const { refresh_token } = await app.authorize({ user, resource });
  await elsewhere.close();
  server.clock.advance(601);
  const second = ok(await app.refresh(refresh_token));
  const third = ok(await app.refresh(second.refresh_token, {}, 1));
  assert.equal((await app.revoke(third.refresh_token)).status, 200);
  const page = await app.start({ resource });
  deniedByPage(page);
  assert.match(page.html, /could not be fetched/);
});

test('a document that is gone or broken does not end what its public client holds either', async () => {
  const { app, path } = client('max-age=60');
  const { refresh_token } = await app.authorize({ user, resource });
  host.publish(path, 'gone', {}, 404);
  server.clock.advance(61);
  const second = ok(await app.refresh(refresh_token));
  host.publish(path, '{}');
  server.clock.advance(61);
  ok(await app.refresh(second.refresh_token));
  deniedByPage(await app.start({ resource }));
});

test('the token endpoint learns of a change beside the requests, at most once a minute', async () => {
  const { app, path, change } = client('no-store');
  let { refresh_token } = await app.authorize({ user, resource });
  change({ client_name: 'New Name' });
  server.clock.advance(61);
  const before = fetched(path);
  for (let n = 0; n < 5; n += 1) refresh_token = ok(await app.refresh(refresh_token)).refresh_token;
  await soon('the row follows the document', async () => {
    const [row] = await server.sql('select client_name from clients where client_id = $1', [app.clientId]);
    return row?.client_name === 'New Name';
  });
  assert.equal(fetched(path) - before, 1);
});

test('a browser that was in the middle of signing in meets the document as it is now', async () => {
  const { app, change } = client('no-store');
  const browser = new TestBrowser();
  const login = await browser.follow(await app.start({ resource }, browser));
  change({ redirect_uris: ['https://moved.example.com/cb'] });
  deniedByPage(await browser.follow(await signIn(browser, login, user)));
  denied(await app.refresh('x'), 'invalid_grant');
});

test('a key that was taken out of a document is not good again while its host is away [threat G10]', async () => {
  const elsewhere = await startMetadataHost();
  const [old, present] = await Promise.all([newClientKey(), newClientKey()]);
  const publishKey = ({ jwk }: ClientKey) =>
    elsewhere.publish(
      '/keys.json',
      (url) => ({
        client_id: url,
        client_name: 'Signing App',
        redirect_uris: redirectUris,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [jwk] },
      }),
      { 'cache-control': 'max-age=60' },
    );
  const clientId = publishKey(old);
  const app = new TestApp(
    server.pods.map(({ url }) => url),
    { clientId, clientSecret: undefined, authMethod: 'none', redirectUris },
  );
  const signedBy = async (key: ClientKey) => ({
    client_assertion_type: assertionType,
    client_assertion: await signAssertion(server, clientId, key),
  });
  const grant = await app.code({ user, resource });
  const { refresh_token } = ok(await app.redeem(grant, await signedBy(old)));

  publishKey(present);
  server.clock.advance(61);
  denied(await app.refresh(refresh_token, await signedBy(old)), 'invalid_client');
  const second = ok(await app.refresh(refresh_token, await signedBy(present)));
  await soon('the row follows the document', async () => {
    const [row] = await server.sql('select jwks from clients where client_id = $1', [clientId]);
    return !JSON.stringify(row).includes(old.kid);
  });

  await elsewhere.close();
  for (const pod of [0, 1]) {
    server.clock.advance(61);
    for (const key of [old, present])
      denied(await app.refresh(second.refresh_token, await signedBy(key), pod), 'temporarily_unavailable', 503);
  }
});

test('a document that changes with every request is written once a minute [threat G10]', async () => {
  const key = await newClientKey();
  let served = 0;
  const clientId = host.on('/restless.json', (_request, response) => {
    served += 1;
    const document = {
      client_id: `${host.origin}/restless.json`,
      client_name: 'Restless App',
      agent_description: `version ${served}`,
      redirect_uris: redirectUris,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.jwk] },
    };
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(document));
  });
  const app = new TestApp(
    server.pods.map(({ url }) => url),
    { clientId, clientSecret: undefined, authMethod: 'none', redirectUris },
  );
  await app.code({ user, resource });
  const events = async () =>
    (
      await server.sql(`select 1 from audit_events where client_id = $1 and action = 'client.document_changed'`, [
        clientId,
      ])
    ).length;
  const before = await events();
  for (let count = 0; count < 10; count += 1) {
    const client_assertion = await signAssertion(server, clientId, key);
    denied(await app.refresh('x', { client_assertion_type: assertionType, client_assertion }), 'invalid_grant');
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(served > 10);
  assert.equal((await events()) - before, 1);
});

test('a client that an operator deleted does not come back with a document that arrives late', async () => {
  const { app, path } = client('no-store');
  const { refresh_token } = await app.authorize({ user, resource });
  let answer = () => {};
  const asked = new Promise<void>((resolve) =>
    host.on(path, (_request, response) => {
      answer = () => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ client_id: app.clientId, client_name: 'Late', redirect_uris: redirectUris }));
      };
      resolve();
    }),
  );
  server.clock.advance(61);
  ok(await app.refresh(refresh_token));
  await asked;
  await server.change('client', app.clientId, (tx) => tx.clients.delete(app.clientId));
  answer();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(await server.sql('select status from clients where client_id = $1', [app.clientId]), []);
});
