import type { VaultFaults } from '../../support/vault-server.ts';
import { needsDatabase, needsSigning, needsSingleUse, type RequestKind } from '../disturbances.ts';
import type { Engine } from '../engines/server.ts';
import type { World } from '../world.ts';
import { type Fault, RECOVERY_MS } from './fault.ts';

const postgresFault = (name: string, run: Fault['run']): Fault => ({
  name: `postgres-${name}`,
  only: 'postgres',
  async run(world, random, hold) {
    const end = world.disturbances.begin({ name: `postgres ${name}`, affects: needsDatabase }, RECOVERY_MS);
    await run(world, random, hold);
    end();
  },
});

const stopped = (how: 'fast' | 'immediate' | 'kill'): Fault =>
  postgresFault(how, async ({ cluster }, _random, hold) => {
    await cluster.postgres.stop(how);
    await hold();
    await cluster.postgres.start();
  });

const postgresFaults = [
  stopped('fast'),
  stopped('immediate'),
  stopped('kill'),
  postgresFault('frozen', async ({ cluster }, _random, hold) => {
    cluster.postgres.freeze();
    await hold();
    cluster.postgres.thaw();
  }),
  postgresFault('backend-killed', async ({ cluster }, random) => {
    await cluster.postgres.killBackend(random.pick(['authserver token', 'authserver admin', 'authserver changes']));
  }),
  postgresFault('sessions-cut', async ({ cluster }) => {
    await cluster.postgres.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'authserver%'`,
    );
  }),
];

/** Redis and NATS, and which requests may fail without them. */
const engineFaults = (
  name: string,
  of: (world: World) => Engine | undefined,
  affects: readonly RequestKind[],
): Fault[] => {
  const fault = (how: string, begin: (engine: Engine) => unknown, heal: (engine: Engine) => unknown): Fault => ({
    name: `${name}-${how}`,
    possible: (world) => of(world) !== undefined,
    only: name,
    async run(world, _random, hold) {
      const engine = of(world) as Engine;
      const end = world.disturbances.begin({ name: `${name} ${how}`, affects, hears: true }, RECOVERY_MS);
      await begin(engine);
      await hold();
      await heal(engine);
      end();
    },
  });
  return [
    fault(
      'killed',
      (engine) => engine.kill(),
      (engine) => engine.start(),
    ),
    fault(
      'frozen',
      (engine) => engine.freeze(),
      (engine) => engine.thaw(),
    ),
  ];
};

/** Vault is there and serves nobody, or is not there. */
const vaultFaults: Fault[] = (
  [
    ['sealed', (faults) => faults.seal(), (faults) => faults.unseal()],
    ['gone', (faults) => faults.stop(), (faults) => faults.start()],
  ] as [string, (faults: VaultFaults) => unknown, (faults: VaultFaults) => unknown][]
).map(([how, begin, heal]) => ({
  name: `vault-${how}`,
  possible: ({ cluster }) => cluster.vault !== undefined,
  only: 'vault',
  async run({ cluster, disturbances }, _random, hold) {
    const faults = cluster.vault?.faults as VaultFaults;
    const end = disturbances.begin({ name: `vault ${how}`, affects: needsSigning, hears: true }, RECOVERY_MS);
    await begin(faults);
    await hold();
    await heal(faults);
    end();
  },
}));

export const serviceFaults = [
  ...postgresFaults,
  ...vaultFaults,
  ...engineFaults('redis', ({ cluster }) => cluster.redis, needsSingleUse),
  ...engineFaults('nats', ({ cluster }) => cluster.nats, []),
];
