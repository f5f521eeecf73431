import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { assertionType, newClientKey, signAssertion } from '../support/client-assertion.ts';
import { runCli } from '../support/command-line.ts';
import { denied, pkce, postForm } from '../support/test-app.ts';

type Event = {
  step: string;
  outcome: string;
  status: number;
  client_id: string | null;
  error: string | null;
  reason: string | null;
  reference: string;
  request_id: string;
  details: Record<string, unknown>;
};

const server = await startAuthServer({ pods: 2, admin: true });
const resource = await server.resource();

/** Events are written beside the requests, a moment later. */
const traceOf = async (query: Record<string, string>, wanted: (events: Event[]) => boolean): Promise<Event[]> => {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await server.adminRequest('GET', `/admin/trace?${new URLSearchParams(query)}`);
    const events = (answer.body.events ?? []) as Event[];
    if (wanted(events)) return events;
    assert.ok(attempt < 50, `not recorded: ${JSON.stringify(answer.body)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

test('one attempt is told from discovery to the first token, over two pods', async () => {
  const user = await server.user();
  const app = await server.client();
  await fetch(`${server.issuer}/.well-known/oauth-authorization-server`);
  const grant = await app.code({ user, resource: resource.uri });
  assert.equal((await app.redeem({ ...grant, verifier: pkce().verifier }, {}, 1)).status, 400);
  assert.equal((await app.redeem(grant, {}, 1)).status, 200);

  const events = await traceOf({ client_id: app.clientId }, (found) =>
    found.some(({ step, outcome }) => step === 'token' && outcome === 'ok'),
  );
  const told = events.map(({ step, outcome, reason, details }) => [step, outcome, reason, details.leads_to]);
  assert.deepEqual(
    told.filter(([step]) => step !== 'discovery'),
    [
      ['authorization', 'ok', null, '/login'],
      ['login', 'ok', null, undefined],
      ['login', 'ok', null, '/oauth/continue'],
      ['authorization', 'ok', null, '/consent'],
      ['consent', 'ok', null, undefined],
      ['consent', 'ok', null, new URL(app.redirectUris[0] as string).origin],
      ['token', 'refused', 'pkce_mismatch', undefined],
      ['token', 'ok', null, undefined],
    ],
  );
  assert.ok(told.some(([step]) => step === 'discovery'));
});

test('the reference on an error page leads to the attempt and its private reason', async () => {
  const browser = new TestBrowser();
  const page = await browser.get(`${server.issuer}/oauth/authorize?response_type=code&client_id=nobody-knows&state=s`);
  const reference = /Reference <code>([0-9A-Z]{4}-[0-9A-Z]{4})<\/code>/.exec(page.html)?.[1];
  assert.ok(reference, page.html);
  const written = [
    reference,
    reference.toLowerCase().replace('-', ' '),
    page.response.headers.get('x-request-id') ?? '',
  ];
  for (const typed of written) {
    const events = await traceOf({ reference: typed }, (found) => found.length > 0);
    const refused: Event | undefined = events.find((event) => event.reference === reference);
    assert.equal(refused?.client_id, 'nobody-knows');
    assert.equal(refused?.reason, 'client_unknown');
    assert.equal(refused?.outcome, 'refused');
  }
  const cli = await runCli(['admin', 'trace', '--reference', reference], {
    env: { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey },
  });
  assert.match(cli.stdout, /step=authorization outcome=refused status=400 .*reason=client_unknown/);
});

test('no secret, code, verifier or password is kept [threat L07]', async () => {
  const user = await server.user();
  const app = await server.client({ authMethod: 'client_secret_post' });
  const grant = await app.code({ user, resource: resource.uri });
  denied(await app.redeem(grant, { code_verifier: 'x'.repeat(43) }), 'invalid_grant');
  const events = await traceOf({ client_id: app.clientId }, (found) => found.some(({ step }) => step === 'token'));
  const kept = JSON.stringify(events);
  for (const secret of [
    grant.code,
    grant.verifier,
    'x'.repeat(43),
    app.clientSecret as string,
    user.password,
    user.email,
  ])
    assert.ok(!kept.includes(secret), `${secret} was kept`);
});

test('others at the same address are not shown: a reference without a client is its step and the discovery', async () => {
  const app = await server.client();
  denied(await app.clientCredentials(), 'unauthorized_client');
  await fetch(`${server.issuer}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"client_name":"Somebody else"}',
  });
  await fetch(`${server.issuer}/.well-known/oauth-authorization-server`);
  const page = await new TestBrowser().get(`${server.issuer}/oauth/authorize?response_type=code`);
  const reference = /Reference <code>([0-9A-Z]{4}-[0-9A-Z]{4})<\/code>/.exec(page.html)?.[1] ?? '';
  const unnamed = await traceOf({ reference }, (found) => found.length > 1);
  assert.deepEqual([...new Set(unnamed.map(({ client_id }) => client_id))], [null]);
  assert.deepEqual([...new Set(unnamed.map(({ step }) => step))].sort(), ['authorization', 'discovery']);
  assert.equal(unnamed.filter(({ step }) => step === 'authorization').length, 1);

  const known = await traceOf({ client_id: app.clientId }, (found) => found.length > 0);
  assert.ok(
    known.every(({ step, client_id }) => client_id === app.clientId || (client_id === null && step === 'discovery')),
  );
  const named = await traceOf({ reference: known.at(-1)?.reference ?? '' }, (found) => found.length > 0);
  assert.ok(
    named.every(({ step, client_id }) => client_id === app.clientId || (client_id === null && step === 'discovery')),
  );
});

test('under the limit the own steps of a client come before discovery, oldest first', async () => {
  const app = await server.client();
  const ask = async () => denied(await app.clientCredentials(), 'unauthorized_client');
  await ask();
  const asked = await traceOf({ client_id: app.clientId }, (found) => found.some(({ step }) => step === 'token'));
  const first = asked.find(({ step }) => step === 'token');
  for (let n = 0; n < 3; n += 1) await fetch(`${server.issuer}/.well-known/oauth-authorization-server`);
  await ask();
  const own = await traceOf(
    { client_id: app.clientId, limit: '2' },
    (found) => found.filter(({ step }) => step === 'token').length === 2,
  );
  assert.equal(own[0]?.reference, first?.reference);
  const reference = own[0]?.reference ?? '';
  const around = await traceOf({ reference, limit: '2' }, (found) => found.length === 2);
  assert.deepEqual(
    around.map(({ reference: of }) => of),
    own.map(({ reference: of }) => of),
  );
  const one = await traceOf({ reference, limit: '1' }, (found) => found.length === 1);
  assert.equal(one[0]?.reference, reference);
});

test('a bad proof is told of the client that was presented, in whatever way', async () => {
  const basic = await server.client({ authMethod: 'client_secret_basic' });
  const key = await newClientKey();
  const { client_id: signing } = await server.admin.client.create({
    body: {
      client_name: 'Signs',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.jwk] },
    } as never,
  });
  const assertion = await signAssertion(server, signing, key);
  const badProof = { dpop: 'x' };
  for (const path of ['/oauth/token', '/oauth/par', '/oauth/device_authorization']) {
    denied(await basic.post(path, { grant_type: 'client_credentials' }, 0, badProof), 'invalid_dpop_proof');
    const form = { client_assertion_type: assertionType, client_assertion: assertion };
    denied(await postForm(`${server.issuer}${path}`, form, badProof), 'invalid_dpop_proof');
  }
  for (const clientId of [basic.clientId, signing]) {
    const events = await traceOf(
      { client_id: clientId },
      (found) => found.filter(({ reason }) => reason === 'dpop_invalid').length === 3,
    );
    assert.deepEqual(
      events.filter(({ reason }) => reason === 'dpop_invalid').map(({ step }) => step),
      ['token', 'pushed_request', 'device_authorization'],
    );
  }
});

test('what nobody did is not found', async () => {
  assert.equal((await server.adminRequest('GET', '/admin/trace?reference=0000-0000')).status, 404);
  assert.deepEqual((await server.adminRequest('GET', '/admin/trace?client_id=never')).body, { events: [] });
  assert.equal((await server.adminRequest('GET', '/admin/trace')).status, 400);
  assert.equal((await server.adminRequest('GET', '/admin/trace?client_id=a&reference=b')).status, 400);
});

test('one address cannot write without end', async () => {
  const rows = async () => (await server.sql('select count(*)::int as n from connection_events'))[0]?.n as number;
  const before = await rows();
  await Promise.all(
    Array.from({ length: 300 }, (_, n) =>
      fetch(`${server.issuer}/oauth/authorize?client_id=flood-${n}`).then((r) => r.text()),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok((await rows()) - before <= 70, `${(await rows()) - before} rows`);
});
