/**
 * A process remembers the codes and refresh tokens it gave out itself, and does not look them up before it spends them (decision
 * 0044). Whatever happened meanwhile, it must answer as one that remembers nothing: each case is played twice, once at the pod
 * that remembers and once at the other.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer, type TestResource, type TestUser } from '../support/auth-server.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { type Answer, denied, type Grant, ok, type TestApp, type Tokens } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const stranger = await server.client();
const key = await DpopKey.create(server);

/** Remembers what is issued at it; the other hears of it from the database. */
const [here, elsewhere] = [0, 1];
type Session = { app: TestApp; user: TestUser; resource: TestResource };
type Pod = { pod: number };

const statements = (operation: string): Promise<number> =>
  server.metric('authserver_db_operation_duration_seconds_count', { operation });
const newSession = async (options: { redirectUris?: string[] } = {}): Promise<Session> => ({
  app: await server.client(options),
  user: await server.user(),
  resource: await server.resource({ scopes: ['a', 'b'] }),
});
const code = ({ app, user, resource }: Session): Promise<Grant> =>
  app.code({ user, scope: 'a b', resource: resource.uri });
/** One that was refreshed before, so that its process remembers it. */
const refreshToken = async (session: Session, headers: Record<string, string> = {}): Promise<string> => {
  const first = ok(await session.app.redeem(await code(session), {}, here, headers));
  return ok(await session.app.refresh(first.refresh_token, {}, here, headers.dpop ? await key.header() : {}))
    .refresh_token;
};
const narrow = ({ app, user, resource }: Session, asked: string[]): Promise<void> =>
  server.store.transaction(async (tx) => {
    await tx.consentGrants.narrow({
      ...{ userId: user.id, clientId: app.clientId, resourceId: resource.id },
      ...{ asked, now: server.clock.now() },
    });
  });
const disable = ({ user }: Session) => server.sql("update users set status = 'disabled' where id = $1", [user.id]);
const logOut = ({ user }: Session) => server.sql('update users set epoch = epoch + 1 where id = $1', [user.id]);
const suspend = ({ app }: Session) =>
  server.sql("update clients set status = 'suspended' where client_id = $1", [app.clientId]);
const remove = ({ resource }: Session) =>
  server.change('resource', resource.id, (tx) => tx.resources.delete(resource.id));
const offerLess = ({ resource }: Session) =>
  server.change('resource', resource.id, async (tx) => {
    const held = await tx.resources.find(resource.id);
    assert.ok(held);
    await tx.resources.update({ ...held, scopes: held.scopes.filter(({ name }) => name === 'a') });
  });
const demandProofs = ({ resource }: Session) =>
  server.change('resource', resource.id, async (tx) => {
    const held = await tx.resources.find(resource.id);
    assert.ok(held);
    await tx.resources.update({ ...held, dpopBoundAccessTokensRequired: true });
  });
const withdraw = ({ user }: Session) =>
  server.sql('update consent_grants set revoked_at = now() where user_id = $1', [user.id]);
const seen = ({ status, body }: Answer<unknown>): unknown => {
  const { error, error_description, scope, token_type } = body as Record<string, unknown>;
  return { status, error, error_description, scope, token_type };
};

test('what a process issued itself is spent without being looked up, once', async () => {
  const session = await newSession();
  const grant = await code(session);
  let [codes, tokens] = [await statements('code_find'), await statements('refresh_find')];
  const first = ok(await session.app.redeem(grant, {}, here));
  assert.equal(await statements('code_find'), codes);
  const second = ok(await session.app.refresh(first.refresh_token, {}, here));
  assert.equal(await statements('refresh_find'), tokens + 1, 'the first of a family is not remembered');
  const third = ok(await session.app.refresh(second.refresh_token, {}, here));
  assert.equal(await statements('refresh_find'), tokens + 1);
  ok(await session.app.refresh(third.refresh_token, {}, elsewhere));
  assert.equal(await statements('refresh_find'), tokens + 2, 'another process knows nothing of it');

  [codes, tokens] = [await statements('code_find'), await statements('refresh_find')];
  denied(await session.app.refresh(second.refresh_token, {}, here), 'invalid_grant');
  denied(await session.app.redeem(grant, {}, here), 'invalid_grant');
  assert.deepEqual([await statements('code_find'), await statements('refresh_find')], [codes + 1, tokens + 1]);
});

type Case<Secret> = (session: Session, secret: Secret, at: Pod) => Promise<Answer<unknown>[]>;

const playTwice = <Secret>(
  what: string,
  issue: (session: Session) => Promise<Secret>,
  cases: Record<string, Case<Secret>>,
): void => {
  for (const [name, play] of Object.entries(cases))
    test(`${what} that is remembered: ${name}`, async () => {
      const answers: unknown[] = [];
      for (const pod of [here, elsewhere]) {
        const session = await newSession();
        answers.push((await play(session, await issue(session), { pod })).map(seen));
      }
      assert.deepEqual(answers[0], answers[1]);
    });
};

const refresh = async (session: Session, token: string, { pod }: Pod): Promise<Answer<unknown>[]> => [
  await session.app.refresh(token, {}, pod),
];

const refreshCases: Record<string, Case<string>> = {
  'nothing happened': refresh,
  async 'its family was ended'(session, token, at) {
    ok(await session.app.revoke(token, elsewhere));
    return refresh(session, token, at);
  },
  async 'its user was disabled'(session, token, at) {
    await disable(session);
    return refresh(session, token, at);
  },
  async 'its client was suspended, and the process has not heard of it'(session, token, at) {
    await suspend(session);
    return refresh(session, token, at);
  },
  async 'its user was logged out everywhere'(session, token, at) {
    await logOut(session);
    return refresh(session, token, at);
  },
  async 'its consent was withdrawn'(session, token, at) {
    await withdraw(session);
    return refresh(session, token, at);
  },
  async 'its resource is gone'(session, token, at) {
    await remove(session);
    return refresh(session, token, at);
  },
  async 'its resource offers less'(session, token, at) {
    await offerLess(session);
    return refresh(session, token, at);
  },
  async 'its user took a scope back'(session, token, at) {
    await narrow(session, ['a']);
    return refresh(session, token, at);
  },
  async 'the scope that is asked for was taken back'(session, token, at) {
    await narrow(session, ['b']);
    return [await session.app.refresh(token, { scope: 'b' }, at.pod), await session.app.refresh(token, {}, at.pod)];
  },
  async 'it was purged'(session, token, at) {
    await server.sql('delete from refresh_tokens where token_hash = sha256($1::bytea)', [token]);
    return refresh(session, token, at);
  },
  async 'another client presents it, and then its own'(session, token, at) {
    return [await stranger.refresh(token, {}, at.pod), ...(await refresh(session, token, at))];
  },
  async 'more is asked for than was granted, and then what was'(session, token, at) {
    return [await session.app.refresh(token, { scope: 'a c' }, at.pod), ...(await refresh(session, token, at))];
  },
  async 'another resource is asked for, and then its own'(session, token, at) {
    const other = 'https://other.example.com/mcp';
    return [await session.app.refresh(token, { resource: other }, at.pod), ...(await refresh(session, token, at))];
  },
};
playTwice('a refresh token', refreshToken, refreshCases);

test('a scope that was taken back and given again is there again', async () => {
  const session = await newSession({ redirectUris: ['http://127.0.0.1/cb'] });
  const token = await refreshToken(session);
  await narrow(session, ['b']);
  const less = ok(await session.app.refresh(token, {}, here));
  assert.equal(less.scope, 'a');
  await code(session); // a loopback client is asked every time, and allows both
  const again = ok(await session.app.refresh(less.refresh_token, {}, here));
  assert.deepEqual(again.scope.split(' ').sort(), ['a', 'b']);
});

test('spent at another process meanwhile: a repeat gets the same successor, and once that was used it is a theft', async () => {
  const session = await newSession();
  const token = await refreshToken(session);
  const there = ok(await session.app.refresh(token, {}, elsewhere));
  const repeated = ok(await session.app.refresh(token, {}, here));
  assert.equal(repeated.refresh_token, there.refresh_token);
  ok(await session.app.refresh(there.refresh_token, {}, elsewhere));
  denied(await session.app.refresh(token, {}, here), 'invalid_grant');
  denied(await session.app.refresh(repeated.refresh_token, {}, here), 'invalid_grant');
});

test('a theft is noticed also where the thief lacks what the resource has come to demand', async () => {
  for (const kind of ['refresh token', 'code'] as const) {
    const session = await newSession();
    const { app } = session;
    const [token, grant] = [await refreshToken(session), await code(session)];
    await demandProofs(session);
    const spend = async (pod: number, headers: Record<string, string>) =>
      kind === 'code' ? app.redeem(grant, {}, pod, headers) : app.refresh(token, {}, pod, headers);
    const owner = ok(await spend(elsewhere, await key.header()));
    const next = ok(await app.refresh(owner.refresh_token, {}, elsewhere, await key.header()));
    denied(await spend(here, {}), 'invalid_grant');
    denied(await app.refresh(next.refresh_token, {}, elsewhere, await key.header()), 'invalid_grant');
  }
});

test('a remembered code or refresh token whose resource demands a proof is refused without one, and given with one', async () => {
  const session = await newSession();
  const { app } = session;
  const [token, grant] = [await refreshToken(session), await code(session)];
  await demandProofs(session);
  denied(await app.refresh(token, {}, here), 'invalid_dpop_proof');
  ok(await app.refresh(token, {}, here, await key.header()));
  denied(await app.redeem(grant, {}, here), 'invalid_dpop_proof');
  ok(await app.redeem(grant, {}, here, await key.header()));
});

test('twenty refreshes at once, at the process that remembers and at another: one successor', async () => {
  const session = await newSession();
  const token = await refreshToken(session);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => session.app.refresh(token, {}, n % 2)));
  assert.equal(new Set(answers.map((answer) => ok(answer).refresh_token)).size, 1);
});

test('a remembered token that is bound to a key needs the key, and the key may still come', async () => {
  const session = await newSession();
  const token = await refreshToken(session, await key.header());
  denied(await session.app.refresh(token, {}, here), 'invalid_grant');
  const next = ok(await session.app.refresh(token, {}, here, await key.header()));
  const other = await DpopKey.create(server);
  denied(await session.app.refresh(next.refresh_token, {}, here, await other.header()), 'invalid_grant');
  const proof = await key.header();
  ok(await session.app.refresh(next.refresh_token, {}, here, proof));
  denied(await session.app.refresh(next.refresh_token, {}, here, proof), 'invalid_dpop_proof');
});

test('a proof is used up once, also where what was remembered is no longer so', async () => {
  const session = await newSession();
  const token = await refreshToken(session, await key.header());
  await narrow(session, ['b']);
  assert.equal(ok(await session.app.refresh(token, {}, here, await key.header())).scope, 'a');
});

const redeem = async (session: Session, grant: Grant, { pod }: Pod): Promise<Answer<Tokens>[]> => [
  await session.app.redeem(grant, {}, pod),
];
const codeCases: Record<string, Case<Grant>> = {
  'nothing happened': redeem,
  async 'its user was disabled'(session, grant, at) {
    await disable(session);
    return redeem(session, grant, at);
  },
  async 'its client was suspended, and the process has not heard of it'(session, grant, at) {
    await suspend(session);
    return redeem(session, grant, at);
  },
  async 'its user was logged out everywhere'(session, grant, at) {
    await logOut(session);
    return redeem(session, grant, at);
  },
  async 'its consent was withdrawn'(session, grant, at) {
    await withdraw(session);
    return redeem(session, grant, at);
  },
  async 'its resource is gone'(session, grant, at) {
    await remove(session);
    return redeem(session, grant, at);
  },
  async 'its resource offers less'(session, grant, at) {
    await offerLess(session);
    return redeem(session, grant, at);
  },
  async 'its user took a scope back'(session, grant, at) {
    await narrow(session, ['b']);
    return redeem(session, grant, at);
  },
  async 'it was purged'(session, grant, at) {
    await server.sql('delete from authorization_codes where code_hash = sha256($1::bytea)', [grant.code]);
    return redeem(session, grant, at);
  },
  async 'another client presents it, and then its own'(session, grant, at) {
    return [await stranger.redeem(grant, {}, at.pod), ...(await redeem(session, grant, at))];
  },
  async 'the address is another, and then its own'(session, grant, at) {
    const redirect_uri = 'https://app.example.com/other';
    return [await session.app.redeem(grant, { redirect_uri }, at.pod), ...(await redeem(session, grant, at))];
  },
  async 'the resource is another, and then its own'(session, grant, at) {
    const other = 'https://other.example.com/mcp';
    return [await session.app.redeem(grant, { resource: other }, at.pod), ...(await redeem(session, grant, at))];
  },
  async 'the verifier is wrong, and then right'(session, grant, at) {
    const code_verifier = 'x'.repeat(43);
    return [await session.app.redeem(grant, { code_verifier }, at.pod), ...(await redeem(session, grant, at))];
  },
  async 'somebody guessed at it too often, elsewhere'(session, grant, at) {
    const code_verifier = 'x'.repeat(43);
    for (let guess = 0; guess < 5; guess += 1) await session.app.redeem(grant, { code_verifier }, elsewhere);
    return redeem(session, grant, at);
  },
  async 'it was redeemed elsewhere'(session, grant, at) {
    const { refresh_token } = ok(await session.app.redeem(grant, {}, elsewhere));
    return [...(await redeem(session, grant, at)), await session.app.refresh(refresh_token, {}, at.pod)];
  },
};
playTwice('a code', code, codeCases);

test('of twenty redemptions at once, at the process that remembers and at another, one is honoured', async () => {
  const session = await newSession();
  const grant = await code(session);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => session.app.redeem(grant, {}, n % 2)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
});

test('what the database will not confirm is judged three times, and then 503 with nothing spent', async () => {
  const session = await newSession();
  const [token, grant] = [await refreshToken(session), await code(session)];
  await server.sql(`create function unconfirmed() returns trigger language plpgsql as 'begin return null; end'`);
  for (const table of ['refresh_tokens', 'authorization_codes'])
    await server.sql(
      `create trigger unconfirmed before update on ${table} for each row execute function unconfirmed()`,
    );
  for (const answer of [await session.app.refresh(token, {}, here), await session.app.redeem(grant, {}, here)]) {
    denied(answer, 'temporarily_unavailable', 503);
    assert.ok(answer.headers.get('retry-after'));
  }
  await server.sql('drop function unconfirmed() cascade');
  ok(await session.app.refresh(token, {}, here));
  ok(await session.app.redeem(grant, {}, here));
});

// At the end: the clock of all pods goes on.
test('what is remembered expires as what is stored does', async () => {
  const session = await newSession();
  const [grant, token] = [await code(session), await refreshToken(session)];
  server.clock.advance(server.config.oauth.code_ttl + 1);
  denied(await session.app.redeem(grant, {}, here), 'invalid_grant');
  server.clock.advance(server.config.dcr.default_refresh_expiry + 1);
  denied(await session.app.refresh(token, {}, here), 'invalid_grant');
});
