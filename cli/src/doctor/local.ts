/** What this machine's server stands on: its configuration, its database, its keys, Redis, and the clocks. */
import { existsSync } from 'node:fs';
import type { Config } from '@authserver/config';
import { lookAtEncryption } from './encryption.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { lookAtKeyFiles, lookAtStoredKeys } from './keys.ts';
import { lookAtNats } from './nats.ts';
import { lookAtProvider } from './openid-provider.ts';

/** @returns the configuration as well, when it could be read */
export const lookAtConfiguration = async (
  path: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<{ findings: Finding[]; config: Config | undefined }> => {
  const { loadConfig } = await import('@authserver/config');
  try {
    const { config } = loadConfig({ env, ...(path === undefined ? {} : { path }) });
    return { findings: [ok('configuration', `${path ?? 'the environment and defaults'} can be used`)], config };
  } catch (error) {
    const detail = (error as Error).message;
    return {
      findings: [problem('configuration', detail, 'mend every line, see docs/configuration.md')],
      config: undefined,
    };
  }
};

export const lookAtMachine = async (config: Config, env: NodeJS.ProcessEnv): Promise<Finding[]> => [
  ...(await lookAtDatabase(config, env)),
  ...(config.signing.key_store === 'keyfile' ? await lookAtKeyFiles(config) : []),
  ...(await lookAtRedis(config)),
  ...(await lookAtNats(config)),
  ...(await lookAtProvider(config)),
];

const lookAtDatabase = async (config: Config, env: NodeJS.ProcessEnv): Promise<Finding[]> => {
  const { driver, embedded } = config.storage;
  if (driver === 'embedded' && !existsSync(embedded.path))
    return [warning('database', `there is no embedded database in ${embedded.path} yet`, 'authserver serve makes it')];
  const [{ openConfiguredDatabase }, { planMigrations }] = await Promise.all([
    import('../serve/database.ts'),
    import('@authserver/store'),
  ]);
  try {
    const database = await openConfiguredDatabase(config, () => {}, false);
    try {
      const { applied, pending } = await planMigrations(database.dsn);
      return [
        ...(await askDatabase(database.dsn)),
        pending.length === 0
          ? ok('database', `all ${applied.length} migrations are applied`)
          : problem(
              'database',
              `${pending.length} migrations are pending, from ${pending[0]} on`,
              'authserver migrate',
            ),
        ...(pending.length === 0 && config.signing.key_store !== 'keyfile'
          ? await lookAtStoredKeys(config, database.dsn, env)
          : []),
        ...(pending.length === 0 ? await lookAtEncryption(config, database.dsn, env) : []),
      ];
    } finally {
      await database.stop();
    }
  } catch (error) {
    return [problem('database', (error as Error).message, 'see storage.* in the configuration')];
  }
};

const oldestVersion = 150_000;
const mostSkewMs = 1_000;

const askDatabase = async (dsn: string): Promise<Finding[]> => {
  const { openDatabase } = await import('@authserver/store');
  const database = openDatabase({
    dsn,
    maxConnections: 1,
    applicationName: 'authserver doctor',
    queryTimeoutMs: 5_000,
  });
  try {
    await database.query('doctor_connect', 'select 1');
    const start = Date.now();
    const { rows } = await database.query<{ number: string; name: string; now: Date }>(
      'doctor_version',
      `select current_setting('server_version_num') as number, current_setting('server_version') as name,
              clock_timestamp() as now`,
    );
    const took = Date.now() - start;
    const [row] = rows;
    const skewMs = Math.abs((row?.now.getTime() ?? 0) - (start + took / 2));
    return [
      Number(row?.number) >= oldestVersion
        ? ok('database', `PostgreSQL ${row?.name}, answers in ${took} ms`)
        : problem('database', `PostgreSQL ${row?.name} is too old`, 'use 15 or newer'),
      skewMs <= mostSkewMs
        ? ok('database', 'its clock agrees with the one here')
        : problem(
            'database',
            `its clock and the one here differ by ${Math.round(skewMs / 1000)} s`,
            'synchronise both (NTP)',
          ),
    ];
  } finally {
    await database.end();
  }
};

const patienceMs = 2_000;

const lookAtRedis = async (config: Config): Promise<Finding[]> => {
  if (!config.redis.url) return [];
  const [{ redisSettings }, { evictionPolicy, openRedis }] = await Promise.all([
    import('@authserver/replay'),
    import('@authserver/replay/redis'),
  ]);
  const settings = redisSettings(config);
  if (!settings) return [];
  let reason = `no answer within ${patienceMs / 1000} s`;
  const connection = openRedis({
    ...settings,
    issuer: config.server.issuer,
    onLost: ({ host, port }, why) => {
      reason = `${host}:${port}: ${why}`;
    },
    onBack: () => {},
  });
  try {
    for (const end = Date.now() + patienceMs; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50)))
      try {
        const info = await connection.run('replay', (client) => client.info());
        return judgeRedis(info, evictionPolicy(info));
      } catch {
        // It may still be connecting.
      }
    return [problem('Redis', reason, 'see redis.url; requests that need replay checks are refused meanwhile')];
  } finally {
    connection.close();
  }
};

/** Forgetting a proof early would let it be used twice. */
const judgeRedis = (info: string, policy: string | undefined): Finding[] => {
  const version = /^redis_version:(.*?)\r?$/m.exec(info)?.[1] ?? '';
  return [
    ok('Redis', `version ${version} answers`),
    ...(policy !== undefined
      ? [warning('Redis', `maxmemory-policy is ${policy}: what was seen once may be forgotten`, 'set it to noeviction')]
      : []),
  ];
};
