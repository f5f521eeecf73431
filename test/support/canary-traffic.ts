import type { GrantType } from '@authserver/oauth';
import type { TestUser } from './auth-server.ts';
import { TestBrowser } from './browser.ts';
import type { Canaries } from './canaries.ts';
import { assertionType, newClientKey, signAssertion } from './client-assertion.ts';
import { deviceGrantType } from './device.ts';
import { DpopKey } from './dpop-key.ts';
import { jwtBearerType } from './id-jag.ts';
import type { StartedServer } from './started-server.ts';
import { type Answer, answerConsent, type Form, pkce, signIn, TestApp } from './test-app.ts';

const exchangeType: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const redirect_uris = ['https://app.example.com/cb'];
const metadata = {
  client_name: 'Canary',
  redirect_uris,
  grant_types: ['authorization_code', 'refresh_token', deviceGrantType, jwtBearerType, exchangeType],
  token_endpoint_auth_method: 'client_secret_post',
};

const assertionGrants = ['jwt-bearer', 'token-exchange'].map((name) => `urn:ietf:params:oauth:grant-type:${name}`);
const grantTypes = [
  ...['authorization_code', 'refresh_token', 'client_credentials', deviceGrantType, 'password'],
  ...assertionGrants,
];
const formPaths = ['token', 'introspect', 'revoke', 'par', 'device_authorization'].map((name) => `/oauth/${name}`);

/** Requests with a secret in every field, and what was answered to those that were refused. */
export const createTraffic = async (
  server: StartedServer,
  { keep, canary, plain }: Canaries,
  { person, resource, behind }: { person: TestUser; resource: string; behind: string },
) => {
  const { issuer } = server;
  const asServer = { issuer, clock: { now: () => new Date() } } as never;
  const key = await DpopKey.create(asServer);
  const clientKey = await newClientKey();
  keep('password', person.password);

  /** What a caller may say of its own trace; none of it is ours to repeat. */
  const context = { baggage: `session=${plain('baggage')}`, tracestate: `vendor=${plain('tracestate')}` };
  const bodies: string[] = [];
  /** A request whose refusal is kept, headers included, but for where the browser is sent. */
  const send = async (
    path: string,
    init: RequestInit = {},
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> => {
    const headers = { ...context, ...(init.headers as Record<string, string> | undefined) };
    const answer = await fetch(path.startsWith('http') ? path : `${issuer}${path}`, {
      ...{ redirect: 'manual', ...init },
      headers,
    });
    const text = await answer.text();
    if (answer.status >= 400)
      bodies.push(text, ...[...answer.headers].filter(([name]) => !/^(dpop-nonce|set-cookie)$/.test(name)).flat());
    return { status: answer.status, headers: answer.headers, body: text.startsWith('{') ? JSON.parse(text) : {} };
  };
  const post = (path: string, form: Form, headers: Record<string, string> = {}) => {
    const body = new URLSearchParams();
    for (const [name, value] of Object.entries(form)) if (value !== undefined) body.append(name, String(value));
    return send(path, { method: 'POST', body, headers });
  };
  const json = (path: string, method: string, body: unknown, token?: string) =>
    send(path, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const basic = (id: string, secret: string) => {
    const value = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64');
    keep('Basic', value);
    return { authorization: `Basic ${value}` };
  };
  const withProof = async (nonce: string, jti = plain('jti')) => {
    const { dpop } = await key.header({ claims: { nonce, jti } });
    keep('proof', dpop);
    return { dpop: String(dpop) };
  };

  /** A client that registers itself, and all a person and an app do from there on. */
  const honest = async (): Promise<void> => {
    const registered = (await json('/oauth/register', 'POST', metadata)).body as Record<string, string>;
    const { client_id, client_secret, registration_access_token = '', registration_client_uri = issuer } = registered;
    keep('client secret', client_secret);
    keep('registration token', registration_access_token);
    const made = await json(
      `${server.adminUrl}/admin/initial-access-tokens`,
      'POST',
      { label: 'canary', max_uses: 1 },
      await server.adminKey(), // printed at the first start; the key of an operator is watched by the tests of the admin API
    );
    const vouched = keep('initial access token', made.body.token);
    for (let use = 0; use < 2; use += 1) await json('/oauth/register', 'POST', metadata, vouched);
    if (client_id === undefined) return;
    await json(registration_client_uri, 'GET', undefined, registration_access_token);
    const identity: Form = { client_id, client_secret };

    const device = (await post('/oauth/device_authorization', { ...identity, resource })).body;
    keep('device code', device.device_code);
    keep('user code', device.user_code);
    keep('user code as it is kept', String(device.user_code ?? '').replace('-', ''));
    await post('/oauth/token', { ...identity, grant_type: deviceGrantType, device_code: String(device.device_code) });

    const app = new TestApp([issuer], {
      clientId: client_id,
      clientSecret: client_secret,
      authMethod: 'client_secret_post',
      redirectUris: redirect_uris,
    });
    const { verifier, challenge } = pkce();
    keep('verifier', verifier);
    const browser = new TestBrowser();
    let page = await browser.follow(
      await app.start({ code_challenge: challenge, resource, state: canary('state') }, browser),
    );
    if (new URL(page.url).pathname === '/login') page = await browser.follow(await signIn(browser, page, person));
    for (const [name, value] of browser.cookies) keep(name, value);
    if (new URL(page.url).pathname === '/consent') page = await answerConsent(browser, page, 'allow');
    const code = keep('code', page.location?.searchParams.get('code') ?? undefined);
    const redeem = {
      ...identity,
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: redirect_uris[0],
    };
    await post('/oauth/token', { ...redeem, code_verifier: plain('wrong verifier') });
    const demanded = await post('/oauth/token', redeem, await withProof(plain('nonce')));
    const nonce = keep('server nonce', demanded.headers.get('dpop-nonce'));
    const tokens = (await post('/oauth/token', redeem, await withProof(nonce))).body;
    keep('access token', tokens.access_token);
    await askForConsent(
      browser,
      await app.exchange(String(tokens.access_token), { resource: behind }, 0, await withProof(nonce)),
    );
    const refresh_token = keep('refresh token', tokens.refresh_token);
    const refresh = { ...identity, grant_type: 'refresh_token', refresh_token };
    keep('successor', (await post('/oauth/token', refresh, await withProof(nonce))).body.refresh_token);
    const claims = { iss: 'https://idp.example.com', client_id };
    const header = { typ: 'oauth-id-jag+jwt' };
    const idJag = keep('ID-JAG', await signAssertion(asServer, person.id, clientKey, { claims, header }));
    await post('/oauth/token', { ...identity, grant_type: jwtBearerType, assertion: idJag });
    for (const token of [tokens.access_token, refresh_token, code])
      for (const path of ['/oauth/introspect', '/oauth/revoke'])
        await post(path, { ...identity, token: String(token) });
    await post('/oauth/token', redeem, await withProof(nonce));
    await post('/oauth/token', refresh, await withProof(nonce));
    await json(
      registration_client_uri,
      'PUT',
      { ...metadata, client_id, client_secret: plain('chosen') },
      registration_access_token,
    );
    const { client_id: signing = '' } = (
      await json('/oauth/register', 'POST', {
        ...metadata,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [clientKey.jwk] },
      })
    ).body as Record<string, string>;
    const client_assertion = keep('assertion', await signAssertion(asServer, signing, clientKey));
    for (let use = 0; use < 2; use += 1)
      await post('/oauth/par', { client_assertion, client_assertion_type: assertionType, response_type: 'code' });
  };

  /** What a refused exchange offers: opened, with an address of nobody, and answered. */
  const askForConsent = async (browser: TestBrowser, { body }: Answer<unknown>): Promise<void> => {
    const { consent_url: url } = body as { consent_url?: string };
    if (url === undefined) return;
    keep('consent ticket', new URL(url).searchParams.get('ticket') ?? undefined);
    const page = await browser.get(url);
    bodies.push((await browser.get(`${url}&return_url=https://evil.test/${canary('return address')}`)).html);
    keep('consent ticket, shown', page.field('ticket'));
    bodies.push((await browser.post(url, { request: page.field('ticket'), action: 'allow' })).html);
    await answerConsent(browser, page, 'allow');
    bodies.push((await browser.get(url)).html);
  };

  /** A secret of nobody in every field there is, most of them refused. */
  const hostile = async (): Promise<void> => {
    const known = { client_id: 'client_nobody', client_assertion_type: assertionType };
    const fields = [
      'client_secret',
      'client_assertion',
      'code',
      'code_verifier',
      'refresh_token',
      'device_code',
      'token',
      'password',
      'state',
      'user_code',
      'assertion',
      'subject_token',
      'request',
      'ticket',
      'return_url',
      'nonce',
      'dpop_jkt',
      'login_hint',
      'id_token_hint',
      'grant_type',
    ];
    const all = (of: (name: string) => string): Form => Object.fromEntries(fields.map((name) => [name, of(name)]));
    for (const grant_type of grantTypes)
      for (const make of [canary, plain]) {
        const form = { ...known, ...all(make), grant_type };
        for (const path of assertionGrants.includes(grant_type) ? ['/oauth/token'] : formPaths) {
          await post(path, form);
          await post(
            path,
            { ...form, client_assertion: undefined, client_secret: undefined },
            basic('client_nobody', make('secret')),
          );
          await post(path, { ...form, client_assertion: undefined });
          await send(`${path}?${new URLSearchParams(form as Record<string, string>)}`);
          await post(path, form, { authorization: `Bearer ${plain('bearer')}`, dpop: plain('proof') });
        }
      }
    const query = new URLSearchParams({
      ...(all(canary) as Record<string, string>),
      response_type: 'code',
      client_id: 'client_nobody',
    });
    for (const path of [
      '/oauth/authorize',
      '/login',
      '/consent',
      '/consent/exchange',
      '/device',
      '/oauth/return',
      '/account',
      '/nowhere',
      '/.well-known/x',
      '/%',
    ])
      await send(`${path}?${query}`, {
        headers: { accept: 'text/html', cookie: `authserver_session=${plain('cookie')}` },
      });
    for (const token of [
      plain('initial access token'),
      `iat_${plain('initial access token')}`,
      plain('registration token'),
    ]) {
      await json(
        '/oauth/register',
        'POST',
        { ...metadata, client_secret: canary('chosen secret'), redirect_uris: 7 },
        token,
      );
      await json(`/oauth/register/client_nobody`, 'PUT', { client_secret: canary('chosen secret') }, token);
      await json(`/oauth/register?access_token=${token}`, 'POST', metadata);
      await send(`${server.adminUrl}/admin/clients?key=${token}`, { headers: { authorization: `Bearer ${token}` } });
    }
    await send('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"client_secret":"${plain('broken JSON')}`,
    });
    await send('/oauth/token', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: plain('text') });
    const browser = new TestBrowser();
    const login = await browser.get(`${issuer}/login`);
    if (login.status === 200) {
      bodies.push((await signIn(browser, login, { ...person, password: canary('wrong password') })).html);
      bodies.push(
        (await browser.post(`${issuer}/login`, { password: canary('password'), csrf_token: plain('csrf') })).html,
      );
    }
    const guess = plain('user code').slice(0, 9).toUpperCase();
    await post('/device', { user_code: guess, csrf_token: plain('csrf') });
  };

  return { honest, hostile, send, bodies };
};
