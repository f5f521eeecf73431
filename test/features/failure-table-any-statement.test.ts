/**
 * A pod is lost at any statement. For every grant and for revocation, the line between the pod and PostgreSQL is cut at each
 * statement in turn, once before it is done and once after, before the answer is back. Then an honest client asks again, at
 * another pod. What must hold whichever it was: no code and no refresh token honoured twice, no token without its row,
 * nothing half-made, and no word that makes a client throw away what is still good.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { deviceGrantType, TestDevice } from '../support/device.ts';
import { type CutAt, startPostgresProxy } from '../support/postgres-proxy.ts';
import { type Answer, denied, ok, type Tokens } from '../support/test-app.ts';

let proxy: Awaited<ReturnType<typeof startPostgresProxy>>;
const [cutOff, healthy] = [0, 1];
const server = await startAuthServer({
  pods: 2,
  env: { LOG_STDOUT: 'false' },
  housekeepingMs: 3_600_000,
  async firstThrough(dsn) {
    proxy = await startPostgresProxy(dsn);
    return proxy.dsn;
  },
});
after(() => proxy.close());

const resource = await server.resource();
const user = await server.user();
const app = await server.client();
const machine = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const device = new TestDevice(await server.client({ grantTypes: [deviceGrantType, 'refresh_token'] }));
const asked = { user, scope: 'tools/read', resource: resource.uri };
const count = async (text: string, values: unknown[] = []): Promise<number> =>
  Number((await server.sql<{ n: string }>(`select count(*) as n from ${text}`, values))[0]?.n);

/** Every token that left has its row, and is alive. */
const isRecorded = async (answer: Answer<Tokens>): Promise<void> => {
  const { jti } = decodeJwt(ok(answer).access_token);
  assert.equal(await count('issuances where id = $1', [jti]), 1);
};
const familyOf = async (text: string, value: string): Promise<string | undefined> =>
  (await server.sql<{ family_id: string | null }>(`select family_id from ${text}`, [value]))[0]?.family_id ?? undefined;
const hash = `sha256(convert_to($1, 'utf8'))`;

/** What was there before the line broke, what is asked, and what must be true when the same is asked again elsewhere. */
type Case = {
  prepare(): Promise<string>;
  ask(secret: string, pod: number): Promise<Answer<unknown>>;
  settle(secret: string): Promise<void>;
};

/** A code is good once. If it was spent and the answer lost, it is a replay, which costs the person one more visit. */
const codeSettled = async (retried: Answer<Tokens>, family: string | undefined): Promise<void> => {
  if (retried.status === 200) {
    await isRecorded(retried);
    await isRecorded(await app.refresh(retried.body.refresh_token, {}, healthy));
    return;
  }
  denied(retried, 'invalid_grant');
  assert.ok(family, 'refused although it was never spent');
  assert.equal(await count('token_families where id = $1 and revoked_at is not null', [family]), 1);
};

let verifier = '';
const cases: Record<string, Case> = {
  authorization_code: {
    async prepare() {
      const grant = await app.code(asked);
      verifier = grant.verifier;
      return grant.code;
    },
    ask: (code, pod) =>
      app.token(
        {
          grant_type: 'authorization_code',
          code,
          code_verifier: verifier,
          redirect_uri: app.redirectUris[0],
          resource: resource.uri,
        },
        pod,
      ),
    async settle(code) {
      const spentBefore = await familyOf(`authorization_codes where code_hash = ${hash}`, code);
      const retried = (await cases.authorization_code?.ask(code, healthy)) as Answer<Tokens>;
      assert.equal(retried.status === 200, spentBefore === undefined);
      await codeSettled(retried, spentBefore);
      assert.equal(
        await count(`token_families f join authorization_codes c on c.family_id = f.id where c.code_hash = ${hash}`, [
          code,
        ]),
        1,
      );
      denied((await cases.authorization_code?.ask(code, healthy)) as Answer<Tokens>, 'invalid_grant');
    },
  },

  refresh_token: {
    prepare: async () => (await app.authorize(asked)).refresh_token,
    ask: (token, pod) => app.refresh(token, {}, pod),
    async settle(token) {
      const [retried, again] = [await app.refresh(token, {}, healthy), await app.refresh(token, {}, healthy)];
      await isRecorded(retried);
      await isRecorded(again);
      assert.equal(again.body.refresh_token, retried.body.refresh_token, 'one successor');
      const family = await familyOf(`refresh_tokens where token_hash = ${hash}`, token);
      assert.equal(await count('refresh_tokens where family_id = $1', [family]), 2);
      const next = await app.refresh(retried.body.refresh_token, {}, healthy);
      await isRecorded(next);
      denied(await app.refresh(token, {}, healthy), 'invalid_grant');
      denied(await app.refresh(next.body.refresh_token, {}, healthy), 'invalid_grant');
    },
  },

  client_credentials: {
    prepare: async () => '',
    ask: (_, pod) => machine.clientCredentials({}, pod),
    settle: async () => isRecorded(await machine.clientCredentials({}, healthy)),
  },

  device_code: {
    async prepare() {
      return (await device.allowed(user, { scope: 'tools/read', resource: resource.uri })).device_code;
    },
    ask: (code, pod) => device.poll(code, {}, pod),
    async settle(code) {
      server.clock.advance(10); // no device asks again at once
      const spentBefore = await familyOf(`authorization_codes where code_hash = ${hash}`, code);
      const retried = await device.poll(code, {}, healthy);
      assert.equal(retried.status === 200, spentBefore === undefined);
      if (retried.status === 200) await isRecorded(retried);
      else denied(retried, 'invalid_grant');
      server.clock.advance(10);
      denied(await device.poll(code, {}, healthy), 'invalid_grant');
    },
  },

  'revocation of a refresh token': {
    prepare: async () => (await app.authorize(asked)).refresh_token,
    ask: (token, pod) => app.revoke(token, pod),
    async settle(token) {
      const family = await familyOf(`refresh_tokens where token_hash = ${hash}`, token);
      const traces = async () => [
        await count('token_families where id = $1 and revoked_at is not null', [family]),
        await count(`changes where kind = 'revocation' and key = 'family:' || $1`, [family]),
        await count(`audit_events where action = 'token.revoked' and details->>'family' = $1`, [family]),
      ];
      const [revoked = 0] = await traces();
      assert.deepEqual(await traces(), [revoked, revoked, revoked], 'all of it or nothing');
      assert.equal((await app.revoke(token, healthy)).status, 200);
      assert.deepEqual(await traces(), [1, 1, 1]);
      denied(await app.refresh(token, {}, healthy), 'invalid_grant');
    },
  },

  'revocation of an access token': {
    prepare: async () => ok(await machine.clientCredentials({}, healthy)).access_token,
    ask: (token, pod) => machine.revoke(token, pod),
    async settle(token) {
      const { jti } = decodeJwt(token);
      const traces = async () => [
        await count(`changes where kind = 'revocation' and key = 'token:' || $1`, [jti]),
        await count(`audit_events where action = 'token.revoked' and details->>'jti' = $1`, [jti]),
      ];
      const { active } = ok(await machine.introspect(token, healthy));
      assert.deepEqual(await traces(), active ? [0, 0] : [1, 1], 'all of it or nothing');
      assert.equal((await machine.revoke(token, healthy)).status, 200);
      assert.deepEqual(await traces(), [1, 1]);
      assert.equal(ok(await machine.introspect(token, healthy)).active, false);
    },
  },
};

/** What a pod asks for once and then has in memory. */
const remembered = ['client_find', 'resource_all'];

/** The line is whole and both pods are awake. */
const mend = async (): Promise<void> => {
  proxy.mend();
  const started = performance.now();
  const isAwake = async (pod: number) => (await machine.clientCredentials({}, pod)).status === 200;
  while (!((await isAwake(cutOff)) && (await isAwake(healthy)))) {
    assert.ok(performance.now() - started < 20_000, 'not back');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

for (const [name, { prepare, ask, settle }] of Object.entries(cases))
  test(`${name}: whichever statement is the last one [threat M02]`, async (t) => {
    await mend();
    const first = await prepare();
    proxy.arm();
    ok(await ask(first, cutOff));
    const statements = [...proxy.statements()];
    assert.ok(statements.length > 0);
    t.diagnostic(statements.join(', '));
    const nthOf = (index: number) => statements.slice(0, index + 1).filter((one) => one === statements[index]).length;
    for (const [index, statement] of statements.entries())
      for (const when of ['before', 'after'] as const) {
        const secret = await prepare();
        const at: CutAt = { statement, nth: nthOf(index), when };
        proxy.arm(at);
        const started = performance.now();
        const answer = await ask(secret, cutOff);
        const ms = performance.now() - started;
        if (!proxy.hasCut() && remembered.includes(statement)) {
          ok(answer); // it was in memory by now
          continue;
        }
        const where = `cut ${when} ${statement}: ${JSON.stringify(answer.body)}`;
        assert.equal(answer.status, 503, where);
        assert.equal((answer.body as { error?: string }).error, 'temporarily_unavailable', where);
        assert.ok(answer.headers.get('retry-after'), where);
        assert.ok(ms < 2_000, `${where}: ${ms} ms`);
        await settle(secret).catch((error: unknown) => {
          throw new Error(where, { cause: error });
        });
        await mend();
      }
  });
