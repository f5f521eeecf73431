/**
 * Malformed requests against every public endpoint, for FUZZ_SECONDS (5 unless said). A failure names the seed and the
 * request; `FUZZ_SEED=1 FUZZ_REQUEST=2 node --test test/fuzz/endpoints.test.ts` sends that one again.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { catalogue, type MetricSpec } from '@authserver/telemetry';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { register } from '../support/registration.ts';
import { readSourceFiles } from '../support/source-files.ts';
import { ok, signIn } from '../support/test-app.ts';
import { endpointsOf, type Real } from './endpoints.ts';
import { type Stall, watchEventLoop } from './event-loop.ts';
import { exchange } from './exchange.ts';
import { outgrown, seriesOf, strangeLabels } from './growth.ts';
import type { LoadOptions, LoadReport } from './load.ts';
import { requestOf } from './requests.ts';

const seconds = Number(process.env.FUZZ_SECONDS ?? 5);
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const only = process.env.FUZZ_REQUEST === undefined ? undefined : Number(process.env.FUZZ_REQUEST);
const stallMs = 100;
const warmUpSeconds = 1;

const server = await startAuthServer({
  env: { SERVER_TRUSTED_PROXIES: '127.0.0.1,::1' },
  hosts: () => [], // the documents and keys of clients are nowhere: nobody is called
});
const port = Number(new URL(server.issuer).port);

const real: Real = await (async () => {
  const user = await server.user();
  const resource = await server.resource();
  const open = await server.client();
  const confidential = await server.client({
    authMethod: 'client_secret_post',
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
    ceiling: ['tools/read', 'tools/write'],
  });
  const registered = await register(server, { redirect_uris: ['https://app.example.com/cb'] });
  const browser = new TestBrowser();
  const login = await browser.follow(await open.start({ resource: resource.uri }, browser));
  const consent = await browser.follow(await signIn(browser, login, user));
  const tokens = await confidential.authorize({ user, resource: resource.uri });
  return {
    openClient: open.clientId,
    clientId: confidential.clientId,
    clientSecret: confidential.clientSecret ?? '',
    resource: resource.uri,
    slug: resource.slug,
    redirectUri: open.redirectUris[0] ?? '',
    email: user.email,
    cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    csrf: consent.field('csrf_token'),
    loginRequest: login.field('request'),
    consentRequest: consent.field('request'),
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    registrationPath: new URL(String(registered.body.registration_client_uri)).pathname,
    registrationToken: String(registered.body.registration_access_token),
  };
})();

const load = async (options: Partial<LoadOptions>): Promise<LoadReport> => {
  const workerData = { port, real, seed, first: 0, seconds: 60, count: Infinity, timeoutMs: 5_000, ...options };
  const thread = new Worker(new URL('./load.ts', import.meta.url), { workerData });
  const [report] = (await once(thread, 'message')) as [LoadReport];
  return report;
};

const again = (index: number) => `FUZZ_SEED=${seed} FUZZ_REQUEST=${index} node --test test/fuzz/endpoints.test.ts`;

const judge = (report: LoadReport): void => {
  const lines = report.failures.map(
    ({ index, endpoint, complaint, sent, answered }) =>
      `${endpoint}: ${complaint}\n${again(index)}\n--- sent\n${sent}\n--- answered\n${answered}\n`,
  );
  assert.equal(lines.length, 0, `\n${lines.join('\n')}`);
};

/** The requests that stop the event loop once more when they are sent alone: a pause of the runtime is nobody's fault. */
const repeated = async (report: LoadReport, stalls: readonly Stall[]): Promise<string[]> => {
  const suspects = report.spans.filter((span) => stalls.some(({ from, to }) => span.from < to && span.to > from));
  const guilty: string[] = [];
  for (const { index } of suspects) {
    const loop = watchEventLoop(stallMs);
    await load({ first: index, count: 1 });
    const { stalls, longestMs } = loop.stop();
    if (stalls.length > 0) guilty.push(`${Math.round(longestMs)} ms: ${again(index)}`);
  }
  return guilty;
};

/** Rows of every table, a partitioned one as a whole. */
const rows = async (): Promise<Map<string, number>> => {
  const tables = await server.sql<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and not relispartition order by 1`,
  );
  const counts = await Promise.all(
    tables.map(
      async ({ name }) => [name, Number((await server.sql(`select count(*) as n from "${name}"`))[0]?.n)] as const,
    ),
  );
  return new Map(counts);
};

const series = async () => seriesOf((await server.pods[0]?.metrics.render())?.body ?? '');

const closed = new Set(
  Object.values<MetricSpec>(catalogue).flatMap(({ labels }) =>
    Object.values(labels).flatMap((values) => (typeof values === 'string' ? [] : values)),
  ),
);
const routes = readSourceFiles()
  .filter(({ path }) => path.startsWith('services/token/src/routes/'))
  .flatMap(({ text }) => [
    ...text.matchAll(/(?:\.(?:get|post|put|patch|delete)\(\s*|onlyPost\(app, |\burl = )'(\/[^']*)'/g),
  ])
  .map(([, path = '']) => path);
const listed = endpointsOf({ ...real, registrationPath: '/oauth/register/:client_id', slug: '*' }).map(
  ({ path }) => path,
);

/** A value is of the catalogue's lists, a route of ours, the name of a statement, or what Node counts of itself. */
const isKnownLabel = (label: string, value: string): boolean =>
  closed.has(value) ||
  (label === 'path' &&
    [...listed, '/.well-known/*', '/.well-known/oauth-protected-resource', 'unmatched'].includes(value)) ||
  (label === 'status' && /^[1-5]\d\d$/.test(value)) ||
  (label === 'operation' && /^[a-z]+(_[a-z]+)*$/.test(value)) ||
  (label === 'le' && /^([\d.e-]+|\+Inf)$/.test(value)) ||
  ['kind', 'type', 'space', 'version', 'major', 'minor', 'patch'].includes(label);

/** Only there where people sign in at a provider, without which they answer 503: see features/oidc-login-refused.test.ts. */
const elsewhere = ['/oidc/start', '/oidc/callback'];

test('every route of the data plane is in the list', () => {
  assert.ok(routes.length > 15, routes.join(' '));
  assert.deepEqual(
    [...new Set(routes)].filter((path) => !listed.includes(path) && !elsewhere.includes(path)),
    [],
  );
});

if (only !== undefined)
  test(`request ${only} of seed ${seed}`, async (t: TestContext) => {
    const request = requestOf(real, seed, only);
    const answer = await exchange(port, request.bytes, 5_000);
    t.diagnostic(`${request.bytes.subarray(0, 4_000).toString('latin1')}\n---\n${answer.head}\n\n${answer.body}`);
    judge(await load({ first: only, count: 1 }));
  });
else
  test(`nothing malformed is a fault of ours, for ${seconds} s from seed ${seed}`, async (t: TestContext) => {
    judge(await load({ seconds: warmUpSeconds, first: 2 ** 30 }));
    const before = await rows();
    const loop = watchEventLoop(stallMs);
    const report = await load({ seconds });
    const { stalls, longestMs } = loop.stop();
    t.diagnostic(
      `${report.requests} requests, longest stretch ${Math.round(longestMs)} ms, ${JSON.stringify(report.statuses)}`,
    );
    judge(report);
    assert.ok(report.requests > 50 * seconds, `${report.requests} requests are too few to tell anything`);

    assert.deepEqual(await repeated(report, stalls), [], 'the event loop stood still');

    await new Promise((resolve) => setTimeout(resolve, 1_000)); // what is written beside the requests
    assert.deepEqual(outgrown(before, await rows(), report, seconds + warmUpSeconds), []);

    assert.deepEqual(strangeLabels(await series(), isKnownLabel), []);

    const machine = await fetch(`${server.issuer}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: real.clientId,
        client_secret: real.clientSecret,
      }),
    });
    assert.equal(machine.status, 200, 'the server goes on as before');
    ok({ status: machine.status, headers: machine.headers, body: await machine.json() });
  });
