/** The ways to a Redis: TLS, users, sentinels, a cluster. Each with everything we do there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { freePort } from '@authserver/cli/embedded-postgres';
import { loadConfig } from '@authserver/config';
import { type RedisSettings, redisSettings } from '@authserver/replay';
import { openRedis, pingRedis } from '@authserver/replay/redis';
import { findProgram } from '../support/programs.ts';
import { noRedisServer, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { inMs, openSharedPod, randomName } from '../support/shared-state.ts';

const issuer = 'https://as.example.com';
const password = 'canary-of-the-password';

const directory = mkdtempSync(join(tmpdir(), 'authserver-redis-tls-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string) => join(directory, name);
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const makeCertificates = (): void => {
  for (const ca of ['ca', 'other'])
    openssl('req', '-x509', ...newKey, '-keyout', `${ca}.key`, '-out', `${ca}.pem`, '-subj', `/CN=${ca}`, '-days', '2');
  for (const name of ['server', 'client']) {
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, ...names);
    const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy'];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, '-days', '2', ...authority);
  }
};
const noOpenssl = (await findProgram(['openssl'], ['openssl'])) === undefined ? 'there is no openssl on PATH' : false;
const options = { skip: noRedisServer || noOpenssl };
if (options.skip === false) makeCertificates();

/** Everything that is done there, over two connections as two pods have them. */
const works = async (settings: RedisSettings): Promise<void> => {
  const [one, two] = [await openSharedPod({ ...settings, issuer }), await openSharedPod({ ...settings, issuer })];
  const key = randomName();
  assert.equal(await one.singleUse.claim('dpop_proof', key, inMs(60_000)), true);
  assert.equal(await two.singleUse.claim('dpop_proof', key, inMs(60_000)), false);
  const budget = { ratePerSecond: 0.01, burst: 2 };
  const given = [one, two, one].map(({ limiter }) => limiter.limit('device_codes', budget).take(key));
  assert.equal((await Promise.all(given)).filter(({ allowed }) => allowed).length, 2);
  const identity = { hash: randomBytes(32), max: 1 };
  const address = { hash: randomBytes(32), max: 9 };
  const attempt = await one.attempts.reserve([identity, address]);
  assert.ok(attempt.allowed);
  assert.equal((await two.attempts.reserve([identity, address])).allowed, false);
  await attempt.release();
  assert.ok((await two.attempts.reserve([identity, address])).allowed);
  const lease = await one.leases.acquire('housekeeping', { ttlMs: 60_000 });
  assert.ok(lease);
  assert.equal(await two.leases.acquire('housekeeping', { ttlMs: 60_000 }), undefined);
  await lease.release();
};

/** Why it is not reached; without a word of what must not be told. */
const fails = async (settings: RedisSettings): Promise<string> => {
  const told: unknown[] = [];
  const reason = await new Promise<string>((resolve) => {
    const connection = openRedis({
      ...settings,
      issuer,
      onBack: () => {},
      onLost: (...args) => {
        told.push(args);
        connection.run('replay', (client) => client.ping()).catch((error) => told.push(error));
        connection.close();
        resolve(args[1]);
      },
    });
  });
  await pingRedis(settings, 500).then(
    () => assert.fail('it answers'),
    (error: unknown) => told.push(error),
  );
  assert.doesNotMatch(inspect(told, { depth: 20, showHidden: true }), /canary/);
  return reason;
};

test('TLS: with the right authority, and with nothing else', options, async () => {
  const port = await freePort();
  const tls = [
    '--tls-port',
    `${port}`,
    '--tls-cert-file',
    file('server.pem'),
    '--tls-key-file',
    file('server.key'),
    '--tls-ca-cert-file',
    file('ca.pem'),
  ];
  await startRedisServer([...tls, '--tls-auth-clients', 'optional', '--requirepass', password]);
  const url = `rediss://:${password}@localhost:${port}`;
  await works({ url, tls: { ca_path: file('ca.pem') } });
  assert.match(await fails({ url }), /self-signed|unable to verify/);
  assert.match(await fails({ url, tls: { ca_path: file('other.pem') } }), /unable to verify|self-signed|signature/);
  assert.match(
    await fails({ url: url.replace('localhost', '127.0.0.1'), tls: { ca_path: file('ca.pem') } }),
    /altnames|does not match/,
  );
  assert.throws(() =>
    openRedis({ url, issuer, onLost: () => {}, onBack: () => {}, tls: { ca_path: file('none.pem') } }),
  );
});

test('TLS: with a certificate of our own where one is asked for', options, async () => {
  const port = await freePort();
  await startRedisServer([
    '--tls-port',
    `${port}`,
    '--tls-cert-file',
    file('server.pem'),
    '--tls-key-file',
    file('server.key'),
    '--tls-ca-cert-file',
    file('ca.pem'),
  ]);
  const url = `rediss://localhost:${port}`;
  await fails({ url, tls: { ca_path: file('ca.pem') } });
  await works({
    url,
    tls: { ca_path: file('ca.pem'), cert_path: file('client.pem'), key_path: file('client.key') },
  });
});

test(
  'a user with a password and a database of its own, who may do what KEYS.md says and no more',
  options,
  async () => {
    const server = await startRedisServer();
    const commands = [
      '+@connection',
      '+info',
      '+evalsha',
      '+eval',
      '+set',
      '+get',
      '+time',
      '+hget',
      '+hset',
      '+hmget',
      '+pexpire',
      '+del',
      '+select',
    ];
    await server.command('ACL', 'SETUSER', 'as', 'on', `>${password}`, '~authserver:*', '~{authserver:*', ...commands);
    await server.command('ACL', 'SETUSER', 'default', 'off');
    const url = `redis://127.0.0.1:${server.port}/3`;
    await works({ url, username: 'as', password });
    await works({ url: url.replace('//', `//as:${encodeURIComponent(password)}@`) });
    assert.match(await fails({ url, username: 'as', password: `${password}!` }), /WRONGPASS/);
    assert.match(await fails({ url }), /NOAUTH/);
  },
);

test('sentinels tell where the primary is, also after another was made it', options, async () => {
  const first = await startRedisServer();
  const second = await startRedisServer(['--replicaof', '127.0.0.1', String(first.port)]);
  const port = await freePort();
  const config = file('sentinel.conf');
  writeFileSync(
    config,
    [
      `sentinel monitor main 127.0.0.1 ${first.port} 1`,
      'sentinel down-after-milliseconds main 500',
      'sentinel failover-timeout main 2000',
    ].join('\n'),
  );
  const sentinel = await startRedisServer([], {
    arguments: [config, '--sentinel', '--port', String(port), '--bind', '127.0.0.1'],
    port,
  });
  const settings = { url: 'redis://anything', sentinel: { nodes: [`127.0.0.1:${sentinel.port}`], primary: 'main' } };
  await works(settings);
  const pod = await openSharedPod({ ...settings, issuer });
  await until(async () => (await sentinel.command('SENTINEL', 'REPLICAS', 'main')).includes(String(second.port)));
  await first.stop();
  await until(() => pod.singleUse.claim('dpop_proof', randomName(), inMs(1_000)).catch(() => false), 20_000);
  assert.match(await second.command('ROLE'), /master/);
});

test('a cluster: what a script touches lies on one node', options, async () => {
  const nodes = await Promise.all(
    [0, 1, 2].map(() => startRedisServer(['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'])),
  );
  const [first] = nodes as [RedisServer];
  const ranges = [
    [0, 5460],
    [5461, 10922],
    [10923, 16383],
  ] as const;
  for (const [index, node] of nodes.entries()) {
    const [from, to] = ranges[index] ?? [0, 0];
    await node.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    await node.command('CLUSTER', 'MEET', '127.0.0.1', String(first.port));
  }
  await until(
    async () =>
      (await Promise.all(nodes.map((node) => node.command('CLUSTER', 'INFO')))).every(
        (info) => info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3'),
      ),
    20_000,
  );
  const settings = { url: first.url, cluster: true };
  for (let round = 0; round < 5; round += 1) await works(settings);
  const sizes = await Promise.all(nodes.map((node) => node.command('DBSIZE')));
  assert.ok(sizes.filter((size) => size !== ':0').length > 1, `${sizes}`);
  await pingRedis(settings, 1_000);

  const pod = await openSharedPod({ ...settings, issuer });
  await nodes[2]?.stop();
  const answers = [];
  for (let count = 0; count < 30; count += 1) {
    const started = performance.now();
    answers.push(
      await pod.singleUse.claim('dpop_proof', randomName(), inMs(1_000)).then(
        () => 200,
        ({ status }) => status,
      ),
    );
    assert.ok(performance.now() - started < 1_000);
  }
  assert.ok(answers.includes(503), 'what lies on the lost node cannot be said');
});

test('settings that do not fit each other are refused', () => {
  const problems = (redis: Record<string, unknown>): string => {
    try {
      const { config } = loadConfig({
        env: Object.fromEntries(Object.entries(redis).map(([key, value]) => [`AUTHPLANE_REDIS_${key}`, String(value)])),
      });
      return JSON.stringify(redisSettings(config)?.sentinel ?? 'fits');
    } catch (error) {
      return (error as Error).message;
    }
  };
  const url = { URL: 'redis://localhost' };
  assert.equal(problems(url), '"fits"');
  assert.equal(problems({ ...url, CLUSTER: true }), '"fits"');
  assert.equal(
    problems({ ...url, SENTINEL_NODES: 'a:26379, [::1]:26379' }),
    '{"nodes":["a:26379","[::1]:26379"],"primary":"mymaster"}',
  );
  assert.match(problems({ CLUSTER: true }), /redis\.url.*is required/);
  assert.match(problems({ SENTINEL_NODES: 'a:26379' }), /redis\.url.*is required/);
  assert.match(problems({ ...url, CLUSTER: true, SENTINEL_NODES: 'a:26379' }), /redis\.cluster/);
  assert.match(problems({ ...url, SENTINEL_NODES: 'a' }), /host:port/);
  assert.match(problems({ ...url, TLS_CA_PATH: '/ca.pem' }), /rediss:/);
  assert.match(problems({ URL: 'rediss://localhost', TLS_CERT_PATH: '/c.pem' }), /together/);
  assert.match(problems({ URL: 'redis://localhost/2', CLUSTER: true }), /database/);
});

const until = async (holds: () => Promise<unknown>, ms = 10_000): Promise<void> => {
  const started = performance.now();
  while (!(await holds())) {
    assert.ok(performance.now() - started < ms, 'not in time');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
