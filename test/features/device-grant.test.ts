/** Device authorization grant (RFC 8628): the requests of the device. The person's pages are in device-page.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthMethod } from '@authserver/oauth';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { type StartOptions, startAuthServer } from '../support/auth-server.ts';
import { deviceGrantType, devicesOf, manyAddresses, person, TestDevice } from '../support/device.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { denied, ok, read, TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, env: manyAddresses });
const resource = await server.resource({ slug: 'notes', scopes: ['tools/read', 'tools/write'] });
const other = await server.resource({ slug: 'mail', scopes: ['mail/read'] });
const wish = { scope: 'tools/read tools/write', resource: resource.uri };

const device = devicesOf(server);

test('a device gets two codes, an address and an interval, and nothing of it is kept in clear or in caches [R8628-01 R8628-10]', async () => {
  const tv = await device();
  const answer = await tv.request(wish);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const { device_code, user_code, ...rest } = answer.body;
  assert.match(String(device_code), /^[A-Za-z0-9_-]{43}$/);
  assert.match(String(user_code), /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
  assert.deepEqual(rest, {
    verification_uri: `${server.issuer}/device`,
    verification_uri_complete: `${server.issuer}/device?user_code=${user_code}`,
    expires_in: 600,
    interval: 5,
  });
  const rows = await server.sql('select row_to_json(device_codes)::text as row from device_codes');
  assert.ok(
    !rows
      .map(({ row }) => row)
      .join()
      .includes(String(device_code)),
  );
});

test('metadata names the endpoint and the grant, and neither when it is off [R8628-02]', async () => {
  const metadata = async (issuer: string) =>
    (await read(await fetch(`${issuer}/.well-known/oauth-authorization-server`))).body;
  const on = await metadata(server.issuer);
  assert.equal(on.device_authorization_endpoint, `${server.issuer}/oauth/device_authorization`);
  assert.ok((on.grant_types_supported as string[]).includes(deviceGrantType));

  const without = await startAuthServer({ env: { DEVICE_ENABLED: 'false' } } satisfies StartOptions);
  const off = await metadata(without.issuer);
  assert.equal(off.device_authorization_endpoint, undefined);
  assert.ok(!(off.grant_types_supported as string[]).includes(deviceGrantType));
  const tv = new TestDevice(await without.client({ grantTypes: [deviceGrantType] }));
  assert.equal((await tv.request()).status, 404);
  denied(await tv.poll('x'.repeat(43)), 'unsupported_grant_type');
  assert.equal((await person().get(`${without.issuer}/device`)).status, 404);
});

test('who asks is authenticated as at the token endpoint [R8628-03]', async () => {
  const confidential = await device({ authMethod: 'client_secret_basic' });
  await confidential.start(wish);
  const { clientId, redirectUris } = confidential.app;
  const posingAs = (authMethod: AuthMethod, clientSecret?: string) =>
    new TestDevice(
      new TestApp(
        server.pods.map(({ url }) => url),
        { clientId, clientSecret, authMethod, redirectUris },
      ),
    );
  const bare = posingAs('none');
  denied(await bare.request(wish), 'invalid_client');
  denied(await posingAs('client_secret_basic', 'wrong').request(wish), 'invalid_client');
  const tv = await device();
  denied(await tv.request({ ...wish, client_id: 'nobody' }), 'invalid_client');
  denied(await tv.request({ ...wish, client_id: undefined }), 'invalid_client');

  denied(await bare.poll((await confidential.start(wish)).device_code), 'invalid_client');
});

test('the request is checked like an authorization request', async () => {
  const tv = await device({ ceiling: ['tools/read', 'mail/read'] });
  const cases: [Record<string, string | string[]>, string][] = [
    [{ resource: 'https://nowhere.example.com/' }, 'invalid_target'],
    [{ ...wish, scope: 'tools/read tools/write' }, 'invalid_scope'],
    [{ ...wish, scope: 'mail/read' }, 'invalid_scope'],
    [{ ...wish, scope: '"' }, 'invalid_scope'],
    [{ resource: resource.uri, scope: ['tools/read', 'tools/read'] }, 'invalid_request'],
    [{ resource: resource.uri, scope: 'tools/read', dpop_jkt: 'no thumbprint' }, 'invalid_request'],
  ];
  for (const [form, code] of cases) denied(await tv.request(form), code);
  const before = await server.sql('select 1 from device_codes');
  denied(await new TestDevice(await server.client()).request(wish), 'unauthorized_client');
  denied(await tv.request({ scope: 'tools/read'.padEnd(20_000, ' x') }), 'invalid_request', 413);
  assert.equal((await server.sql('select 1 from device_codes')).length, before.length, 'nothing was written');
  assert.equal((await fetch(tv.app.url('/oauth/device_authorization'))).status, 405);
});

test('pending until the person has allowed it, and then tokens for what was ticked, which refresh [R8628-04]', async () => {
  const user = await server.user();
  const tv = await device();
  const asked = await tv.start({ ...wish, scope: 'tools/read tools/write offline_access' });
  denied(await tv.poll(asked.device_code), 'authorization_pending');
  const browser = person();
  const page = await tv.question(user, asked.user_code, browser, 1);
  server.clock.advance(5);
  denied(await tv.poll(asked.device_code, {}, 1), 'authorization_pending');
  assert.match((await tv.answer(browser, page, 'allow', ['tools/read'])).html, /Your device is connected/);

  const tokens = ok(await tv.poll(asked.device_code, { resource: resource.uri }, 1));
  assert.equal(tokens.scope, 'tools/read');
  const claims = decodeJwt(tokens.access_token);
  assert.equal(claims.sub, user.id);
  assert.deepEqual([claims.aud].flat(), [resource.uri]);
  assert.equal(claims.client_id, tv.app.clientId);
  assert.ok(Math.abs(Number(claims.auth_time) - Date.now() / 1000) < 30);
  const refreshed = ok(await tv.app.refresh(tokens.refresh_token));
  assert.equal(refreshed.scope, 'tools/read');

  const [issuance] = await server.sql('select grant_type, consent_grant_id, family_id from issuances where id = $1', [
    claims.jti,
  ]);
  assert.equal(issuance?.grant_type, deviceGrantType);
  assert.ok(issuance?.consent_grant_id && issuance.family_id);
  const [consent] = await server.sql('select scopes from consent_grants where user_id = $1', [user.id]);
  assert.deepEqual(consent?.scopes, ['tools/read']);
  const actions = await server.sql(
    "select details from audit_events where actor_id = $1 and action = 'consent.granted'",
    [user.id],
  );
  assert.equal(actions.length, 1);
  assert.ok((await server.metric('authserver_tokens_issued_total', { grant_type: deviceGrantType })) >= 1);
});

test('without scope and resource it is what an authorization request would be; without the grant there is no refresh token', async () => {
  const user = await server.user();
  const tv = await device({ grantTypes: [deviceGrantType], ceiling: ['tools/read'] });
  const tokens = ok(await tv.poll((await tv.allowed(user)).device_code));
  assert.equal(tokens.scope, 'tools/read');
  assert.equal(tokens.refresh_token, undefined);
  assert.deepEqual([decodeJwt(tokens.access_token).aud].flat(), [server.issuer]);
});

test('several resources are allowed at once, and the token may be for one of them', async () => {
  const user = await server.user();
  const tv = await device();
  const both = [resource.uri, other.uri];
  const asked = await tv.allowed(user, { scope: 'tools/read mail/read', resource: both });
  const tokens = ok(await tv.poll(asked.device_code));
  assert.deepEqual([decodeJwt(tokens.access_token).aud].flat().toSorted(), both.toSorted());
  const one = ok(await tv.app.refresh(tokens.refresh_token, { resource: other.uri }));
  assert.deepEqual([decodeJwt(one.access_token).aud].flat(), [other.uri]);
  denied(await tv.poll((await tv.allowed(user, wish)).device_code, { resource: other.uri }), 'invalid_target');
});

test('polling too fast is answered slow_down, and the interval has grown for good, on every pod [R8628-05] [threat H13]', async () => {
  const tv = await device();
  const asked = await tv.start(wish);
  const poll = (pod: number) => tv.poll(asked.device_code, {}, pod);
  denied(await poll(0), 'authorization_pending');
  denied(await poll(1), 'slow_down');
  const [row] = await server.sql<{ interval_seconds: number }>(
    'select interval_seconds from device_codes where user_code = $1',
    [asked.user_code.replace('-', '')],
  );
  assert.equal(row?.interval_seconds, 10);
  server.clock.advance(6);
  denied(await poll(0), 'slow_down'); // 6 s would have done before; now it is 15
  server.clock.advance(11);
  denied(await poll(1), 'slow_down');
  server.clock.advance(20);
  denied(await poll(0), 'authorization_pending');
  server.clock.advance(20);
  denied(await poll(1), 'authorization_pending');
});

test('a poll a little early is on time: clocks and networks are not exact', async () => {
  const tv = await device();
  const { device_code } = await tv.start(wish);
  for (let turn = 0; turn < 4; turn += 1) {
    denied(await tv.poll(device_code, {}, turn % 2), 'authorization_pending');
    server.clock.advance(4.5);
  }
});

test('a refusal and the end of its time are final [R8628-06]', async () => {
  const user = await server.user();
  const tv = await device();
  const refused = await tv.start(wish);
  const browser = person();
  const page = await tv.question(user, refused.user_code, browser);
  assert.match((await tv.answer(browser, page, 'deny')).html, /The device was refused/);
  for (const pod of [0, 1]) denied(await tv.poll(refused.device_code, {}, pod), 'access_denied');
  assert.equal((await server.sql('select 1 from consent_grants where user_id = $1', [user.id])).length, 0);
  const [event] = await server.sql(
    "select details from audit_events where actor_id = $1 and action = 'consent.denied'",
    [user.id],
  );
  assert.ok(event);

  const late = await tv.start(wish);
  const allowedLate = await tv.allowed(user, wish);
  server.clock.advance(599);
  denied(await tv.poll(late.device_code), 'authorization_pending');
  server.clock.advance(2);
  denied(await tv.poll(late.device_code, {}, 1), 'expired_token');
  denied(await tv.poll(allowedLate.device_code, {}, 1), 'expired_token');
});

test('a device with a key: the code, the token and the refresh token are bound to it', async () => {
  const user = await server.user();
  const tv = await device();
  const [key, stolen] = [await DpopKey.create(server), await DpopKey.create(server)];
  const browser = person();

  const asked = await tv.start({ ...wish, dpop_jkt: key.jkt });
  await tv.answer(browser, await tv.question(user, asked.user_code, browser), 'allow');
  denied(await tv.poll(asked.device_code), 'invalid_grant');
  denied(await tv.poll(asked.device_code, {}, 0, await stolen.header()), 'invalid_grant');
  const tokens = ok(await tv.poll(asked.device_code, {}, 1, await key.header()));
  assert.equal(tokens.token_type, 'DPoP');
  assert.deepEqual(decodeJwt(tokens.access_token).cnf, { jkt: key.jkt });
  denied(await tv.app.refresh(tokens.refresh_token, {}, 0, await stolen.header()), 'invalid_grant');
  ok(await tv.app.refresh(tokens.refresh_token, {}, 0, await key.header()));

  const htu = `${server.issuer}/oauth/device_authorization`;
  const proven = await tv.start(wish, 0, await key.header({ claims: { htu } }));
  await tv.answer(browser, await tv.question(user, proven.user_code, browser), 'allow');
  denied(await tv.poll(proven.device_code, {}, 0, await stolen.header()), 'invalid_grant');
  ok(await tv.poll(proven.device_code, {}, 0, await key.header()));
  denied(
    await tv.request({ ...wish, dpop_jkt: stolen.jkt }, 0, await key.header({ claims: { htu } })),
    'invalid_dpop_proof',
  );
});

test('a device may register itself, without a redirect URI, where clients are not admitted by theirs', async () => {
  const metadata = {
    client_name: 'Television',
    grant_types: [deviceGrantType, 'refresh_token'],
    token_endpoint_auth_method: 'none',
  };
  const register = async (issuer: string) =>
    read(
      await fetch(`${issuer}/oauth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(metadata),
      }),
    );
  const registered = await register(server.issuer);
  assert.equal(registered.status, 201, JSON.stringify(registered.body));
  const tv = new TestDevice(
    new TestApp([server.issuer], {
      clientId: String(registered.body.client_id),
      clientSecret: undefined,
      authMethod: 'none',
      redirectUris: [],
    }),
  );
  const tokens = ok(await tv.poll((await tv.allowed(await server.user(), wish)).device_code));
  ok(await tv.app.refresh(tokens.refresh_token));

  const strict = await startAuthServer({
    env: { DCR_MODE: 'approved_redirects', DCR_APPROVED_REDIRECTS: 'https://app.example.com/cb' },
  });
  denied(await register(strict.issuer), 'invalid_redirect_uri');
});

test('oauth4webapi completes the device grant, and understands every answer on the way', async () => {
  const user = await server.user();
  const tv = await device();
  const plainHttp = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(server.issuer);
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
  );
  const client = { client_id: tv.app.clientId };
  const asked = await oauth.processDeviceAuthorizationResponse(
    as,
    client,
    await oauth.deviceAuthorizationRequest(as, client, oauth.None(), wish, plainHttp),
  );
  const poll = async () =>
    oauth.processDeviceCodeResponse(
      as,
      client,
      await oauth.deviceCodeGrantRequest(as, client, oauth.None(), asked.device_code, plainHttp),
    );
  const refused = (code: string) => (error: unknown) =>
    error instanceof oauth.ResponseBodyError && error.error === code && error.status === 400;
  await assert.rejects(poll(), refused('authorization_pending'));
  await assert.rejects(poll(), refused('slow_down'));
  const browser = person();
  await tv.answer(browser, await tv.question(user, asked.user_code, browser), 'allow');
  const tokens = await poll();
  assert.equal(tokens.scope, 'tools/read tools/write');
  const refreshed = await oauth.processRefreshTokenResponse(
    as,
    client,
    await oauth.refreshTokenGrantRequest(as, client, oauth.None(), tokens.refresh_token ?? '', plainHttp),
  );
  assert.ok(refreshed.access_token);
});
