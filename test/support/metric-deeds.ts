import assert from 'node:assert/strict';
import type { Catalogue } from '@authserver/telemetry';
import type { AuthServer, TestResource, TestUser } from './auth-server.ts';
import { TestBrowser } from './browser.ts';
import { devicesOf, person } from './device.ts';
import { DpopKey } from './dpop-key.ts';
import type { startMetadataHost } from './metadata-host.ts';
import { denied, ok, read, signIn, TestApp } from './test-app.ts';

export type MetricKey = keyof Catalogue;
export type MetricDeed = { what: string; does: () => Promise<unknown>; moves: readonly MetricKey[] };

type Actors = {
  server: AuthServer;
  host: Awaited<ReturnType<typeof startMetadataHost>>;
  user: TestUser;
  resource: TestResource;
  /** A public client of people, and a confidential one without. */
  app: TestApp;
  job: TestApp;
  /** The value of a metric, added up over all processes. */
  sumOf: (key: MetricKey) => Promise<number>;
};

export const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  for (let wait = 0; !(await holds()); wait += 1) {
    assert.ok(wait < 250, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

/** What is done, and the metrics that move by it. */
export const metricDeeds = ({ server, host, user, resource, app, job, sumOf }: Actors): MetricDeed[] => {
  const wish = { user, resource: resource.uri, scope: 'tools/read' };
  return [
    {
      what: 'a code flow and a refresh',
      async does() {
        const { refresh_token } = await app.authorize(wish);
        ok(await app.refresh(refresh_token, {}, 1));
      },
      moves: [
        ...([
          'authFlowDuration',
          'loginAttempts',
          'consentDecisions',
          'tokensIssued',
          'tokensRefreshed',
          'activeFamilies',
        ] as const),
        ...(['issuanceDuration', 'httpRequests', 'httpDuration', 'dbDuration', 'groupCommitSize'] as const),
      ],
    },
    {
      what: 'a machine token, read and revoked',
      async does() {
        const { access_token } = ok(await job.clientCredentials({ resource: resource.uri }));
        assert.equal(ok(await job.introspect(access_token, 1)).active, true);
        assert.equal((await job.revoke(access_token)).status, 200);
        denied(await job.clientCredentials({ scope: 'not/allowed' }), 'invalid_scope');
      },
      moves: [
        ...(['clientCredentialsIssued', 'clientCredentialsDenied', 'introspections', 'introspectionDuration'] as const),
        ...(['tokensRevoked', 'authDenied'] as const),
      ],
    },
    {
      what: 'a refresh token and a code presented again',
      async does() {
        const grant = await app.code(wish);
        const { refresh_token } = ok(await app.redeem(grant));
        ok(await app.refresh(refresh_token));
        server.clock.advance(120);
        denied(await app.refresh(refresh_token, {}, 1), 'invalid_grant');
        denied(await app.redeem(grant), 'invalid_grant');
      },
      moves: ['refreshReuse', 'codeReuse', 'tokensRevoked'],
    },
    {
      what: 'a refresh token presented again while its family cannot be revoked',
      async does() {
        const { refresh_token } = await app.authorize(wish);
        ok(await app.refresh(refresh_token));
        server.clock.advance(120);
        await server.sql('alter table token_families add constraint no_more check (revoked_at is null) not valid');
        assert.equal((await app.refresh(refresh_token)).status, 500);
        await server.sql('alter table token_families drop constraint no_more');
      },
      moves: ['revocationFailures'],
    },
    {
      what: 'a proof of possession, good and bad',
      async does() {
        const proof = await (await DpopKey.create(server)).header();
        ok(await job.clientCredentials({}, 0, proof));
        assert.equal((await job.clientCredentials({}, 1, proof)).status, 400);
      },
      moves: ['dpopValidated', 'dpopRejected'],
    },
    {
      what: 'a device that is allowed',
      does: async () => (await devicesOf(server)()).allowed(user, { resource: resource.uri }),
      moves: ['deviceRequests'],
    },
    {
      what: 'wrong passwords until the account is locked',
      async does() {
        const victim = await server.user();
        const browser = person();
        for (let n = 0; n < 5; n += 1) {
          const page = await browser.get(`${server.issuer}/login`);
          await signIn(browser, page, { ...victim, password: 'wrong' });
        }
      },
      moves: ['loginAttempts', 'loginLockouts'],
    },
    {
      what: 'a client that is a document, one whose document is not there, and one that registers itself too often',
      async does() {
        const at = (clientId: string) =>
          new TestApp([server.issuer], {
            clientId,
            clientSecret: undefined,
            authMethod: 'none',
            redirectUris: ['https://a.example/cb'],
          });
        const good = host.publish('/good.json', (client_id) => ({
          client_id,
          client_name: 'Document App',
          redirect_uris: ['https://a.example/cb'],
        }));
        await at(good).authorize(wish);
        await Promise.all([1, 2, 3].map(() => at(good.replace('good', 'bad')).start()));
        for (let n = 0; n < 3; n += 1)
          await read(
            await fetch(`${server.issuer}/oauth/register`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify({ redirect_uris: ['https://a.example/cb'] }),
            }),
          );
      },
      moves: ['clientsRegistered', 'cimdFetchDuration', 'cimdFetchSuppressed', 'outboundRequests', 'rateLimited'],
    },
    {
      what: 'more failures of one address than the flight recorder keeps',
      async does() {
        const browser = new TestBrowser({ 'x-forwarded-for': '203.0.113.9' });
        for (let n = 0; n < 80; n += 1) await app.start({ redirect_uri: `https://evil-${n}.example/` }, browser);
      },
      moves: ['traceEventsDropped'],
    },
    {
      what: 'what an operator changes',
      async does() {
        await server.admin.client.create({
          body: { client_name: 'Made by an operator', redirect_uris: ['https://app.example.com/cb'] },
        });
        const slug = 'operated';
        const made = await server.adminRequest('POST', '/admin/resources', {
          ...{ slug, uri: 'https://operated.example.com/mcp', display_name: slug, backend_kind: 'mint' },
          scopes: [{ name: 'tools/read' }],
        });
        assert.equal(made.status, 201, JSON.stringify(made.body));
        await server.adminRequest('POST', `/admin/resources/${made.body.id}/policy/exchange/allowed-clients`, {
          client_id: job.clientId,
        });
        await server.adminRequest('POST', '/admin/idps', {
          ...{ issuer: 'https://idp.example.com', audience: server.issuer },
          jwks_uri: 'https://idp.example.com/jwks.json',
        });
        assert.equal((await server.adminRequest('POST', '/admin/keys/rotate?force=true')).status, 200);
      },
      moves: [
        ...(['clientsRegistered', 'activeClients', 'resourceServerOps', 'xaaIdpOperations', 'keyRotations'] as const),
        ...(['keyReloadDuration', 'changePropagation', 'changeFeedReads', 'changeFeedVersion'] as const),
      ],
    },
    {
      what: 'rows that are over, which can be deleted and then cannot',
      async does() {
        const expired = () =>
          server.sql(
            `insert into browser_sessions (id_hash, user_id, user_epoch, auth_time, expires_at)
           values (sha256(gen_random_uuid()::text::bytea), $1, 1, $2, $2)`,
            [user.id, new Date(server.clock.now().getTime() - 86_400_000)],
          );
        const deleted = await sumOf('purgeDeleted');
        await expired();
        await until('it is deleted', async () => (await sumOf('purgeDeleted')) > deleted);
        await server.sql(`create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$`);
        await server.sql(
          'create trigger refuse before delete on browser_sessions for each row execute function refuse()',
        );
        await expired();
        await until('it is not', async () => (await sumOf('purgeFailures')) > 0);
        await server.sql('drop trigger refuse on browser_sessions');
      },
      moves: ['purgeDeleted', 'purgeFailures', 'purgeLastSuccess'],
    },
    {
      what: 'some time that goes by',
      does: () => new Promise((resolve) => setTimeout(resolve, 600)),
      moves: ['eventLoopActive', 'eventLoopIdle', 'eventLoopDelay', 'changeFeedLastRead'],
    },
  ];
};
