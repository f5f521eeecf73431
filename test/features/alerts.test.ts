import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAuthServer } from '../support/auth-server.ts';
import { noPrometheus, type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { denied, ok } from '../support/test-app.ts';

/**
 * Each alert that comes with the catalogue is really caused, at a real Prometheus that scrapes two token services and an admin
 * service. Rules are those of deploy/prometheus with nothing but `for` shortened, and the 90 days of one. The refresh at an
 * upstream is a feature to come; promtool alone knows its alert.
 */
const shorter = (rules: string): string =>
  rules
    .replaceAll(/\bfor: \w+/g, 'for: 1s')
    .replaceAll('[90d]', '[5s]')
    .replaceAll('[1d] offset 90d', '[2s] offset 5s');

/** More than ten and five a second, over the five minutes that a rate looks back. */
const DENIALS = 10 * 300 + 100;
const REJECTED_PROOFS = 5 * 300 + 50;
const AT_ONCE = 40;
/** Slower than half a second, and faster than the time limit of a statement. */
const SLOW_MS = 550;
const PATIENCE_MS = 60_000;

const caused = { skip: noPrometheus };

let proxy: Awaited<ReturnType<typeof startTcpProxy>> | undefined;
const start = async () => {
  const server = await startAuthServer({
    ...{ pods: 2, admin: true, scraped: true },
    env: { OAUTH_REFRESH_REUSE_WINDOW: '0s' },
    databaseThrough: async (dsn) => {
      const through = new URL(dsn);
      proxy = await startTcpProxy({ host: through.hostname, port: Number(through.port || 5432) });
      through.hostname = '127.0.0.1';
      through.port = `${proxy.port}`;
      return through.href;
    },
  });
  const prometheus = await startPrometheus({
    targets: {
      'authserver-token': server.pods.map(({ internalAddress }) => internalAddress),
      'authserver-admin': [new URL(server.adminUrl).host],
    },
    change: shorter,
  });
  after(async () => {
    await prometheus.stop();
    proxy?.close();
  });
  return { server, prometheus };
};
const started = noPrometheus ? undefined : await start();

const firing = async (prometheus: Prometheus): Promise<string[]> =>
  (await prometheus.query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric.alertname ?? '');

const seesFiring = async (prometheus: Prometheus, alert: string): Promise<void> => {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await firing(prometheus)).includes(alert)) {
    assert.ok(Date.now() < deadline, `${alert} does not fire, only ${await firing(prometheus)}`);
    await sleep(250);
  }
};

const using = (work: (all: NonNullable<typeof started>) => Promise<void>) => async () => {
  assert.ok(started);
  await work(started);
};

test(
  'nothing fires while nothing is wrong',
  caused,
  using(async ({ prometheus }) => {
    while ((await prometheus.query('up == 1')).length < 3) await sleep(100);
    await sleep(3_000);
    assert.deepEqual(
      (await firing(prometheus)).filter((name) => name !== 'AuthserverKeyNotRotated'),
      [],
    );
  }),
);

test(
  'RefreshTokenReuse: a refresh token is presented twice',
  caused,
  using(async ({ server, prometheus }) => {
    const user = await server.user();
    const resource = await server.resource();
    const app = await server.client();
    const { refresh_token } = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
    ok(await app.refresh(refresh_token));
    denied(await app.refresh(refresh_token, {}, 1), 'invalid_grant');
    await seesFiring(prometheus, 'RefreshTokenReuse');
  }),
);

test(
  'HighAuthDenialRate and AuthserverDpopRejections: neither service alone denies so many',
  caused,
  using(async ({ server, prometheus }) => {
    const app = await server.client();
    const urls = server.pods.map(({ url }) => `${url}/oauth/token`);
    let sent = 0;
    const one = async (): Promise<void> => {
      for (let n = sent++; n < DENIALS; n = sent++) {
        const answer = await fetch(urls[n % urls.length] as string, {
          method: 'POST',
          body: new URLSearchParams({
            grant_type: 'refresh_token',
            refresh_token: 'of nobody',
            client_id: app.clientId,
          }),
          headers: n < REJECTED_PROOFS ? { dpop: 'no proof' } : {},
        });
        assert.ok(answer.status === 400, `${answer.status}`);
        await answer.arrayBuffer();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    await seesFiring(prometheus, 'HighAuthDenialRate');
    await seesFiring(prometheus, 'AuthserverDpopRejections');
  }),
);

test(
  'AuthserverSlowIssuance: the database answers late',
  caused,
  using(async ({ server, prometheus }) => {
    const machine = await server.client({
      authMethod: 'client_secret_basic',
      grantTypes: ['client_credentials'],
      ceiling: ['tools/read'],
    });
    const resource = await server.resource({ runtimeClients: [machine.clientId] });
    const ask = () => machine.clientCredentials({ resource: resource.uri });
    ok(await ask()); // from here on it is one statement, the row of the token
    let over = false;
    const asking = async () => {
      while (!over) await ask();
    };
    proxy?.delay(SLOW_MS);
    const traffic = asking();
    try {
      await seesFiring(prometheus, 'AuthserverSlowIssuance');
    } finally {
      over = true;
      proxy?.delay(0);
      await traffic;
    }
  }),
);

test(
  'AuthserverKeyNotRotated: nobody rotates, until somebody does',
  caused,
  using(async ({ server, prometheus }) => {
    await seesFiring(prometheus, 'AuthserverKeyNotRotated');
    const { status } = await server.adminRequest('POST', '/admin/keys/rotate?force=true');
    assert.equal(status, 200);
    const deadline = Date.now() + PATIENCE_MS;
    while ((await firing(prometheus)).includes('AuthserverKeyNotRotated')) {
      assert.ok(Date.now() < deadline);
      await sleep(250);
    }
  }),
);

test(
  'what alerts say is whole: no template is broken, and each names its runbook',
  caused,
  using(async ({ prometheus }) => {
    const alerts = await prometheus.alerts();
    assert.ok(alerts.length >= 3);
    for (const { labels, annotations } of alerts) {
      assert.doesNotMatch(JSON.stringify(annotations), /<no value>|error expanding|\{\{/);
      assert.equal(annotations.runbook, `docs/runbooks/${labels.alertname}.md`);
    }
    const denials = alerts.find(({ labels }) => labels.alertname === 'HighAuthDenialRate');
    assert.match(denials?.annotations.description ?? '', /(refresh_unknown|dpop_invalid) \d/);
  }),
);
