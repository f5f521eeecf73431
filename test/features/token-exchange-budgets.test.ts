import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GrantType } from '@authserver/oauth';
import { decodeJwt } from 'jose';
import { soon, startAuthServer, type TestResource, type TestUser } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { runCli } from '../support/command-line.ts';
import { openSignedIn } from '../support/consent-url.ts';
import { type Answer, answerConsent, denied, ok, type TestApp } from '../support/test-app.ts';

const exchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const server = await startAuthServer({ pods: 2, admin: true });
const confidential = { authMethod: 'client_secret_basic' } as const;
const assistant = await server.client({
  ...confidential,
  grantTypes: ['authorization_code', 'refresh_token', exchange],
});
const gateway = await server.client({ ...confidential, grantTypes: ['client_credentials', exchange], ceiling: [] });
const runtimeClients = [gateway.clientId];
const front = await server.resource({ runtimeClients });
const user = await server.user();

type Budget = Parameters<typeof server.admin.policy.setExchangeBudget>[0]['body'];

/** Until every pod follows what operators changed. */
const settled = async () => {
  const [row] = await server.sql('select coalesce(max(version), 0) as newest from changes');
  const newest = Number(row?.newest);
  await soon('followed', async () =>
    server.pods.every(({ service }) => (service.feedStatus().version ?? -1) >= newest),
  );
};
const setBudget = async ({ slug }: TestResource, body: Budget) => {
  await server.admin.policy.setExchangeBudget({ slug, body });
  await settled();
};
/** A resource behind the front, reached through a link, with budgets. */
const behind = async (...budgets: Budget[]) => {
  const resource = await server.resource({ scopes: ['rows/read'], runtimeClients });
  await server.link(front, resource, { 'tools/read': ['rows/read'] });
  for (const budget of budgets) await setBudget(resource, budget);
  return resource;
};
/** A resource where the user consents by themselves. */
const beside = async (...budgets: Budget[]) => {
  const resource = await server.resource({ runtimeClients });
  for (const budget of budgets) await setBudget(resource, budget);
  return resource;
};
const signIn = async (person: TestUser, resource = front, browser = new TestBrowser()) =>
  ok(
    await assistant.redeem(
      await assistant.code({ user: person, resource: resource.uri, scope: 'tools/read' }, browser),
    ),
  ).access_token;
const refused = (answer: Answer<unknown>, cause: string) => {
  denied(answer, 'consent_required');
  assert.equal((answer.body as { cause?: string }).cause, cause);
};
/** What a signed-in browser gets to an ordinary authorization request: `consent` or `code`. */
const asks = async (browser: TestBrowser, resource: TestResource, params = {}) => {
  const page = await browser.follow(
    await assistant.start({ resource: resource.uri, scope: 'tools/read', ...params }, browser),
  );
  if (page.location) return page.location.searchParams.get('error') ?? 'code';
  return new URL(page.url).pathname.slice(1);
};

// Two pods that have just started, on a busy machine, would spend the time of the first answers on connections and plans.
test.before(async () => {
  const [hidden, token] = [await behind({ max_uses: 99 }), await signIn(user)];
  for (const pod of [0, 1])
    for (let tries = 0; (await gateway.exchange(token, { resource: hidden.uri }, pod)).status !== 200; tries += 1)
      assert.ok(tries < 10);
});

test('twenty exchanges at once over two pods are as many as the budget has, on both ways [threat I11]', async () => {
  const [hidden, side] = [await behind({ max_uses: 5 }), await beside({ client_id: assistant.clientId, max_uses: 5 })];
  const person = await server.user();
  await signIn(person, side);
  const token = await signIn(person);
  for (const [app, { uri, id }] of [
    [gateway, hidden],
    [assistant, side],
  ] as const) {
    // Who hears that the server is busy asks again; the answer may have been lost, but what was counted was issued.
    let lost = 0;
    const ask = async (pod: number): Promise<Answer<unknown>> => {
      const answer = await app.exchange(token, { resource: uri }, pod);
      if (answer.status !== 503 || lost > 100) return answer;
      lost += 1;
      return ask(pod);
    };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n % 2)));
    const good = answers.filter(({ status }) => status === 200);
    assert.ok(lost > 0 ? good.length <= 5 : good.length === 5, JSON.stringify(answers.map(({ body }) => body)));
    for (const answer of answers) if (answer.status !== 200) refused(answer, 'budget_spent');
    const issued = await server.sql('select 1 from issuances where resource_id = $1 and parent_id is not null', [id]);
    assert.equal(issued.length, 5);
    const [row] = await server.sql('select uses, max_uses from delegation_uses where resource_id = $1', [id]);
    assert.deepEqual(row, { uses: 5, max_uses: 5 });
  }
});

test('who has consented is asked again when it is used up, and then it begins anew', async () => {
  const hidden = await behind({ max_uses: 2 });
  const [person, browser] = [await server.user(), new TestBrowser()];
  const token = await signIn(person, front, browser);
  const use = (pod = 0) => gateway.exchange(token, { resource: hidden.uri }, pod);
  for (const pod of [0, 1]) ok(await use(pod));
  assert.equal(await asks(browser, front), 'code', 'nobody was refused yet');
  refused(await use(), 'budget_spent');
  refused(await use(1), 'budget_spent');
  assert.equal(await asks(browser, front), 'consent');
  assert.equal(await asks(browser, front, { prompt: 'none' }), 'consent_required', 'not silently');

  // Who says no gets no more, and is asked once more.
  const refusing = await browser.follow(await assistant.start({ resource: front.uri, scope: 'tools/read' }, browser));
  await answerConsent(browser, refusing, 'deny');
  refused(await use(), 'budget_spent');
  assert.equal(await asks(browser, front), 'consent');

  // The token that is there is good for more as soon as the user has agreed.
  const second = await signIn(person, front, browser);
  for (const pod of [0, 1]) ok(await use(pod));
  refused(await use(), 'budget_spent');
  refused(await gateway.exchange(second, { resource: hidden.uri }), 'budget_spent');
  assert.equal(await asks(browser, front), 'consent');
});

test('the consent at the target is what counts where the exchange rests on it', async () => {
  const side = await beside({ max_uses: 1 });
  const [person, browser] = [await server.user(), new TestBrowser()];
  await signIn(person, side, browser);
  const token = await signIn(person, front, browser);
  ok(await assistant.exchange(token, { resource: side.uri }));
  refused(await assistant.exchange(token, { resource: side.uri }), 'budget_spent');
  // Another client is another budget, whoever the token is of.
  ok(await gateway.exchange(token, { resource: side.uri }));
  refused(await gateway.exchange(token, { resource: side.uri }), 'budget_spent');
  assert.equal(await asks(browser, front), 'code', 'there nothing is used up');
  assert.equal(await asks(browser, side), 'consent');
  await signIn(person, side, browser);
  ok(await assistant.exchange(token, { resource: side.uri }));
  ok(await gateway.exchange(token, { resource: side.uri }));
});

test('the refusal says where the user can give more: to the client and at the resource the consent is for', async () => {
  const [hidden, side] = [await behind({ max_uses: 1 }), await beside({ max_uses: 1 })];
  const last = await server.resource({ scopes: ['files/read'], runtimeClients });
  await server.link(hidden, last, { 'rows/read': ['files/read'] });
  await setBudget(last, { max_lifetime: 60 });
  const [person, browser] = [await server.user(), new TestBrowser()];
  await signIn(person, side, browser);
  const token = await signIn(person, front, browser);
  const child = ok(await gateway.exchange(token, { resource: hidden.uri })).access_token;
  ok(await gateway.exchange(token, { resource: side.uri }));
  server.clock.advance(61);
  for (const [from, to, cause, at] of [
    [token, hidden, 'budget_spent', front],
    [token, side, 'budget_spent', side],
  ] as const) {
    const again = () => gateway.exchange(from, { resource: to.uri }, 1);
    const answer = await again();
    refused(answer, cause);
    const page = await openSignedIn(String((answer.body as { consent_url?: string }).consent_url), person, browser);
    for (const text of [at.uri, assistant.clientId, gateway.clientId]) assert.ok(page.html.includes(text), text);
    assert.deepEqual(page.checkboxes('scopes'), ['tools/read']);
    assert.equal((await answerConsent(browser, page, 'allow')).status, 200);
    ok(await again());
    assert.equal(await asks(browser, at), 'code', 'nobody is asked twice');
  }
  // Two links away it is the same consent, which was just given; a minute later it is over.
  ok(await gateway.exchange(child, { resource: last.uri }));
  server.clock.advance(61);
  const over = await gateway.exchange(child, { resource: last.uri });
  refused(over, 'budget_expired');
  const page = await openSignedIn(String((over.body as { consent_url?: string }).consent_url), person, browser);
  assert.equal((await answerConsent(browser, page, 'allow')).status, 200);
  ok(await gateway.exchange(child, { resource: last.uri }));
});

test('a consent that becomes smaller gives nothing back', async () => {
  const side = await beside({ max_uses: 1 });
  const [person, browser] = [await server.user(), new TestBrowser()];
  const scope = 'tools/read tools/write';
  ok(await assistant.redeem(await assistant.code({ user: person, resource: side.uri, scope }, browser)));
  const token = await signIn(person, front, browser);
  ok(await assistant.exchange(token, { resource: side.uri }));
  await server.store.consentGrants.narrow({
    ...{ userId: person.id, clientId: assistant.clientId, resourceId: side.id, asked: ['tools/write'] },
    now: server.clock.now(),
  });
  refused(await assistant.exchange(token, { resource: side.uri }), 'budget_spent');
});

test('what is taken back and given again begins anew, and what came of it before is dead', async () => {
  const hidden = await behind({ max_uses: 1 });
  const [person, browser] = [await server.user(), new TestBrowser()];
  const token = await signIn(person, front, browser);
  const child = ok(await gateway.exchange(token, { resource: hidden.uri })).access_token;
  const [row] = await server.sql<{ id: string }>('select id from consent_grants where user_id = $1', [person.id]);
  await server.admin.grant.revokeConsent({ id: row?.id ?? '' });
  assert.equal(ok(await gateway.introspect(child)).active, false);
  denied(await gateway.exchange(token, { resource: hidden.uri }), 'invalid_request');
  const again = await signIn(person, front, browser);
  ok(await gateway.exchange(again, { resource: hidden.uri }));
});

test('a lifetime begins with the consent, ends every token, and is begun anew by the next', async () => {
  const hidden = await behind({ max_lifetime: 120 });
  const [person, browser] = [await server.user(), new TestBrowser()];
  const token = await signIn(person, front, browser);
  const use = () => gateway.exchange(token, { resource: hidden.uri });
  const first = ok(await use());
  assert.ok(first.expires_in <= 120, String(first.expires_in));
  server.clock.advance(100);
  const late = ok(await use());
  assert.ok(late.expires_in <= 20 && late.expires_in > 0, String(late.expires_in));
  assert.ok(Number(decodeJwt(late.access_token).exp) <= Number(decodeJwt(first.access_token).exp));
  server.clock.advance(25);
  refused(await use(), 'budget_expired');
  assert.equal(ok(await gateway.introspect(late.access_token)).active, false);
  assert.equal(await asks(browser, front), 'consent');
  await signIn(person, front, browser);
  ok(await use());
  assert.equal((await server.sql('select 1 from delegation_uses where resource_id = $1', [hidden.id])).length, 0);
});

test('a depth is no matter of consent, and whoever is in the chain', async () => {
  const last = await server.resource({ scopes: ['files/read'], runtimeClients });
  const hidden = await behind();
  await server.link(hidden, last, { 'rows/read': ['files/read'] });
  await server.link(front, last, { 'tools/read': ['files/read'] });
  await setBudget(last, { max_depth: 2 });
  const token = await signIn(await server.user());
  ok(await gateway.exchange(token, { resource: last.uri }));
  const child = ok(await gateway.exchange(token, { resource: hidden.uri })).access_token;
  denied(await gateway.exchange(child, { resource: last.uri }), 'access_denied', 403);
  await setBudget(last, { max_depth: 3 });
  ok(await gateway.exchange(child, { resource: last.uri }));
});

test('who acts is counted as well as who asks', async () => {
  const robot = await server.client({
    ...confidential,
    grantTypes: ['client_credentials', exchange],
    ceiling: ['tools/read'],
  });
  const side = await server.resource({ runtimeClients: [gateway.clientId, robot.clientId] });
  await setBudget(side, { client_id: robot.clientId, max_uses: 1 });
  await setBudget(side, { max_uses: 3 });
  const person = await server.user();
  await signIn(person, side);
  const token = await signIn(person);
  const actor = ok(await robot.clientCredentials({ resource: side.uri, scope: 'tools/read' })).access_token;
  const acting = { actor_token: actor, actor_token_type: accessToken };
  ok(await gateway.exchange(token, { resource: side.uri, ...acting }));
  refused(await gateway.exchange(token, { resource: side.uri, ...acting }), 'budget_spent');
  refused(await robot.exchange(token, { resource: side.uri }), 'budget_spent');
  const rows = await server.sql('select client_id, uses from delegation_uses where resource_id = $1', [side.id]);
  assert.deepEqual(
    rows.map(({ client_id, uses }) => [client_id, uses]).toSorted(),
    [
      [gateway.clientId, 1],
      [robot.clientId, 1],
    ].toSorted(),
    'what was refused counts for nobody',
  );
});

test('a machine is not counted; a token of a user that no consent stands behind is refused', async () => {
  const hidden = await behind({ max_uses: 1 });
  const robot = await server.client({ ...confidential, grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
  const machine = ok(await robot.clientCredentials({ resource: front.uri, scope: 'tools/read' })).access_token;
  for (let n = 0; n < 3; n += 1) ok(await gateway.exchange(machine, { resource: hidden.uri }));
  const token = await signIn(await server.user());
  await server.sql('update issuances set consent_grant_id = null where id = $1', [decodeJwt(token).jti]);
  denied(await gateway.exchange(token, { resource: hidden.uri }), 'access_denied', 403);
});

test('several targets are counted together or not at all', async () => {
  const [roomy, tight] = [await behind({ max_uses: 5 }), await behind({ max_uses: 1 })];
  const token = await signIn(await server.user());
  const both = { resource: [roomy.uri, tight.uri] };
  const answers = await Promise.all(Array.from({ length: 6 }, (_, n) => gateway.exchange(token, both, n % 2)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  const rows = await server.sql('select uses from delegation_uses where resource_id = any($1::uuid[])', [
    [roomy.id, tight.id],
  ]);
  assert.deepEqual(rows, [{ uses: 1 }, { uses: 1 }]);
});

test('revoking a hop ends the tree below, which a budget does not revive', async () => {
  const last = await server.resource({ scopes: ['files/read'], runtimeClients });
  const end = await server.resource({ scopes: ['disk/read'], runtimeClients });
  const hidden = await behind({ max_uses: 9, max_lifetime: 900, max_depth: 2 });
  await server.link(hidden, last, { 'rows/read': ['files/read'] });
  await server.link(last, end, { 'files/read': ['disk/read'] });
  await setBudget(last, { max_uses: 9, max_depth: 3 });
  await setBudget(end, { max_uses: 9, max_depth: 4 });
  const token = await signIn(await server.user());
  const hop = async (app: TestApp, from: string, to: TestResource, pod: number) =>
    ok(await app.exchange(from, { resource: to.uri }, pod)).access_token;
  const line = [token];
  for (const [n, to] of [hidden, last, end].entries()) line.push(await hop(gateway, line.at(-1) ?? '', to, n % 2));
  const other = await hop(gateway, token, hidden, 1);
  const states = async (pod: number) =>
    Promise.all(
      [...line, other].map(async (one, n) => ok(await (n === 0 ? assistant : gateway).introspect(one, pod)).active),
    );
  for (const pod of [0, 1]) assert.deepEqual(await states(pod), [true, true, true, true, true]);
  ok(await gateway.revoke(line[1] ?? '', 1));
  for (const pod of [0, 1]) assert.deepEqual(await states(pod), [true, false, false, false, true]);
  denied(await gateway.exchange(line[2] ?? '', { resource: end.uri }), 'invalid_request');
});

test('an explanation tells uses and what remains, before and after they are used up', async () => {
  const hidden = await behind({ max_uses: 2, max_lifetime: 600, max_depth: 4 });
  const person = await server.user();
  const token = await signIn(person);
  const explain = () =>
    server.admin.exchange.explain({
      body: { client_id: gateway.clientId, subject_jti: String(decodeJwt(token).jti), resource: [hidden.slug] },
    });
  const described = () =>
    server.admin.exchange.explain({
      body: {
        ...{ client_id: gateway.clientId, user: person.id, subject_client_id: assistant.clientId },
        ...{ subject_resource: [front.slug], subject_scope: 'tools/read', resource: [hidden.slug] },
      },
    });
  for (const [used, remaining] of [
    [0, 2],
    [1, 1],
  ] as const) {
    for (const { allowed, budgets, gates } of [await explain(), await described()]) {
      const [{ since, ends_at, ...budget } = {}, ...more] = budgets ?? [];
      assert.deepEqual(
        [allowed, budget, more],
        [
          true,
          {
            target: hidden.slug,
            client_id: gateway.clientId,
            uses: used,
            max_uses: 2,
            remaining,
            depth: 2,
            max_depth: 4,
          },
          [],
        ],
      );
      assert.equal(Date.parse(String(ends_at)) - Date.parse(String(since)), 600_000);
      assert.match(gates.at(-1)?.detail ?? '', new RegExp(`has used ${used} of 2, and ${remaining} are left`));
    }
    ok(await gateway.exchange(token, { resource: hidden.uri }));
  }
  for (const { allowed, cause, reason, budgets } of [await explain(), await described()])
    assert.deepEqual([allowed, cause, reason, budgets?.[0]?.remaining], [false, 'budget_spent', 'budget_spent', 0]);
  const asked = await server.sql('select asks_again from consent_grants where user_id = $1', [person.id]);
  assert.deepEqual(asked, [{ asks_again: false }], 'who explains changes nothing');
  const { stdout } = await runCli(
    [
      'admin',
      'exchange',
      'explain',
      '--client-id',
      gateway.clientId,
      '--subject-jti',
      String(decodeJwt(token).jti),
    ].concat(['--resource', hidden.slug]),
    { env: { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey } },
  );
  assert.match(stdout, /^budget: target=\S+ client_id=\S+ uses=2 max_uses=2 remaining=0 /m);
});

test('a denial is counted and recorded by its reason', async () => {
  const keeper = await server.client({ ...confidential, grantTypes: [exchange] });
  const resource = await server.resource({ runtimeClients: [keeper.clientId] });
  await setBudget(resource, { max_uses: 1 });
  const person = await server.user();
  await signIn(person, resource);
  const token = await signIn(person);
  const before = await server.metric('authplane_token_exchange_denied_total', { reason: 'budget_spent' });
  ok(await keeper.exchange(token, { resource: resource.uri }));
  refused(await keeper.exchange(token, { resource: resource.uri }), 'budget_spent');
  assert.equal(await server.metric('authplane_token_exchange_denied_total', { reason: 'budget_spent' }), before + 1);
  const [event] = await server.sql<{ details: { reason: string } }>(
    "select details from audit_events where action = 'token.exchange_denied' and details ->> 'jti' = $1",
    [decodeJwt(token).jti],
  );
  assert.equal(event?.details.reason, 'budget_spent');
});
