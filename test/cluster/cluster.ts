/**
 * A whole installation on one machine: PostgreSQL, Redis and NATS of its own, pods of both planes as processes, and a
 * load balancer before the token pods. Everything a pod says to a service goes through a proxy of its own.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AdminClient, createAdminClient } from '@authserver/admin-api';
import { sendToAdmin } from './admin-transport.ts';
import { type ClusterPostgres, startPostgres } from './engines/postgres.ts';
import { type Engine, startNats, startRedis } from './engines/server.ts';
import { type KeyHome, type KeyStoreName, openKeyHome } from './key-stores.ts';
import { type Balancer, startBalancer } from './network/balancer.ts';
import { classifyPostgres, type PostgresClass } from './network/postgres-startup.ts';
import { startProxy, type TcpProxy } from './network/proxy.ts';
import { Pod, type PodNetwork, type Role } from './pod.ts';
import { reservePort } from './ports.ts';
import type { Random } from './random.ts';

export type ClusterOptions = {
  tokenPods: number;
  adminPods: number;
  random: Random;
  /** A checkout with its dependencies, whose programs run. */
  release: string;
  /** Settings of every pod, by their environment name without `AUTHPLANE_`. */
  settings?: Record<string, string> | undefined;
  /** Whether pods are told where NATS is, where there is one. */
  nats: boolean;
  reconcileMs: number;
  /** Where the signing keys live. */
  keyStore: KeyStoreName;
  /** Processes of each token pod behind its one port; none is a pod that is one process. */
  workers?: number | undefined;
};

export type Cluster = {
  directory: string;
  issuer: string;
  reconcileMs: number;
  workers: number;
  tokenPods: Pod[];
  adminPods: Pod[];
  balancer: Balancer;
  postgres: ClusterPostgres;
  redis: Engine | undefined;
  nats: Engine | undefined;
  vault: KeyHome['vault'];
  /** The admin API at one pod. */
  admin(pod: Pod): AdminClient;
  /** What a pod runs from its next start on: the release in another checkout. */
  setRelease(pod: Pod, release: string): void;
  stop(options?: { keepLogs?: boolean }): Promise<void>;
};

/** All tests come from one address, and few connections are enough for each pod. */
const roomySettings = {
  RATE_LIMIT_RPS: '100000',
  RATE_LIMIT_BURST: '100000',
  RATE_LIMIT_AUTH_FAIL_MAX: '100000',
  DCR_RATE_LIMIT: '100000',
  DCR_RATE_LIMIT_BURST: '100000',
  ADMIN_REQUESTS_PER_SECOND: '0',
  ADMIN_AUTH_FAIL_MAX: '100000',
  STORAGE_POSTGRES_MAX_CONNS: '10',
  STORAGE_POSTGRES_MIN_CONNS: '1',
  LOG_LEVEL: 'warn',
  SERVER_DRAIN_DELAY: '1s', // ten times what the balancer takes to notice
};

/** One plane by itself, every other one as the container image runs it, by a release that has such a program. */
const programOf = (release: string, role: Role, n: number, workers = 0): string[] => {
  const service = join(release, 'services', role, 'src/main.ts');
  const several = role === 'token' && workers > 0 ? ['--workers', `${workers}`] : [];
  return n % 2 === 1 && existsSync(service)
    ? [service, ...several]
    : [join(release, 'cli/bin/authserver.js'), 'serve', '--role', role, ...several];
};

/** Starts it all, and waits until every pod is ready. */
export const startCluster = async (options: ClusterOptions): Promise<Cluster> => {
  const directory = await mkdtemp(join(tmpdir(), 'authserver-cluster-'));
  await chmod(directory, 0o755); // PostgreSQL under root is somebody else
  const [postgres, redis, nats, keyHome] = await Promise.all([
    startPostgres(directory),
    startRedis(directory),
    startNats(directory),
    openKeyHome(options.keyStore, directory),
  ]);
  const balancer = await startBalancer({ port: await reservePort(), random: options.random });
  const adminKey = `key_${randomBytes(32).toString('base64url')}`;
  const secrets = {
    SESSION_SECRET: randomBytes(32).toString('base64url'),
    ADMIN_API_KEY: adminKey,
  };
  const proxies: TcpProxy<never>[] = [];
  const tokenPods: Pod[] = [];
  const adminPods: Pod[] = [];

  const settingsFor = (network: PodNetwork): Record<string, string> => ({
    SERVER_ISSUER: balancer.url,
    SERVER_DATA_DIR: join(directory, 'data'),
    ...keyHome.settings(network.vault?.port),
    STORAGE_DRIVER: 'postgres',
    STORAGE_POSTGRES_DSN: postgres.dsn(network.postgres.port),
    CHANGES_RECONCILE_INTERVAL: `${options.reconcileMs}ms`,
    ...(network.redis ? { REDIS_URL: `redis://127.0.0.1:${network.redis.port}` } : {}),
    ...(network.nats ? { NATS_URL: `nats://127.0.0.1:${network.nats.port}` } : {}),
    ...roomySettings,
    ...secrets,
    ...options.settings,
  });

  const startNetwork = async (): Promise<PodNetwork> => {
    const way = (engine: { port: number } | undefined) =>
      engine && startProxy({ target: () => engine.port, classes: ['all'] });
    const network = {
      postgres: await startProxy<PostgresClass>({
        target: () => postgres.port(),
        classes: ['queries', 'changes'],
        classify: classifyPostgres,
      }),
      redis: await way(redis),
      nats: options.nats ? await way(nats) : undefined,
      vault: await way(keyHome.vault),
    };
    for (const proxy of Object.values(network)) if (proxy) proxies.push(proxy as TcpProxy<never>);
    return network;
  };

  const releases = new Map<string, string>();
  const addPod = async (role: Role, name: string): Promise<void> => {
    const [port, internalPort] = [await reservePort(), await reservePort()];
    const network = await startNetwork();
    const pods = role === 'token' ? tokenPods : adminPods;
    const n = pods.length;
    const program = () => programOf(releases.get(name) ?? options.release, role, n, options.workers);
    const pod = new Pod({
      ...{ name, role, directory, port, internalPort, network, program },
      settings: () => settingsFor(network),
    });
    pods.push(pod);
  };

  const stop = async ({ keepLogs = false } = {}): Promise<void> => {
    await Promise.all([...tokenPods, ...adminPods].map((pod) => pod.kill()));
    await balancer.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
    postgres.thaw();
    await postgres.stop('kill').catch(() => {});
    await Promise.all([redis?.kill(), nats?.kill(), keyHome.vault?.faults.stop()]);
    if (!keepLogs) await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };

  try {
    for (let n = 1; n <= options.adminPods; n += 1) await addPod('admin', `admin-${n}`);
    for (let n = 1; n <= options.tokenPods; n += 1) await addPod('token', `token-${n}`);
    for (const pod of [...adminPods, ...tokenPods]) pod.launch();
    await Promise.all([...adminPods, ...tokenPods].map((pod) => pod.ready()));
    for (const pod of tokenPods) await balancer.setTarget(pod);
  } catch (error) {
    await stop({ keepLogs: true });
    throw error;
  }
  return {
    directory,
    issuer: balancer.url,
    reconcileMs: options.reconcileMs,
    workers: options.workers ?? 0,
    tokenPods,
    adminPods,
    balancer,
    postgres,
    redis,
    nats: options.nats ? nats : undefined,
    vault: keyHome.vault,
    admin: (pod) => createAdminClient({ transport: sendToAdmin(pod.url, adminKey) }),
    setRelease: (pod, release) => void releases.set(pod.name, release),
    stop,
  };
};
