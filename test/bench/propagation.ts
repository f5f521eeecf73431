/**
 * `node test/bench/propagation.ts`: how long a change takes from its commit to its application on every pod, over both
 * channels, over each alone, and over the interval alone. An operator makes changes of every kind that a pod keeps
 * something of, one after the other, through the admin API.
 *
 * Pods and control plane share this process and its event loop: what is measured includes that the others apply the same
 * change at the same moment. Environment: PODS (8), ROUNDS of four or five changes (60), INTERVAL of the last part (5s).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { feedsHear, natsSettings } from '../support/nats.ts';
import { countChanges, cutNotify, inMilliseconds, makeChanges, recordPropagation } from '../support/propagation.ts';

const pods = Number(process.env.PODS ?? 8);
const rounds = Number(process.env.ROUNDS ?? 60);
const interval = process.env.INTERVAL ?? '5s';

const base = {
  STORAGE_POSTGRES_MAX_CONNS: '4',
  STORAGE_POSTGRES_MIN_CONNS: '1',
  LOG_STDOUT: 'false',
  CHANGES_RECONCILE_INTERVAL: '1h',
};
const nats = await natsSettings();

const start = (env: Record<string, string>) => startAuthServer({ pods, admin: true, env: { ...base, ...env } });

const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (const deadline = Date.now() + 60_000; !(await holds()); await sleep(20))
    if (Date.now() > deadline) throw new Error('waited for a minute');
};

const measure = async (way: string, server: AuthServer, pauseMs: number, share = 1): Promise<void> => {
  const count = Math.max(1, Math.round(rounds * share));
  await makeChanges(server, { rounds: 2 });
  await sleep(1_000);
  const before = await countChanges(server);
  const recorded = recordPropagation(server);
  await makeChanges(server, { rounds: count, pauseMs });
  const made = (await countChanges(server)) - before;
  await until(() => recorded.seconds.length >= made * pods);
  console.log(`${way.padEnd(24)} ${inMilliseconds(recorded.stop())} (${made} changes on ${pods} pods)`);
};

const both = await start(nats);
await until(async () => (await feedsHear(both, 'nats')) && (await feedsHear(both, 'notify')));
await measure('LISTEN/NOTIFY and NATS', both, 10);
await cutNotify(both);
await measure('NATS alone', both, 10);
const notify = await start({});
await until(() => feedsHear(notify, 'notify'));
await measure('LISTEN/NOTIFY alone', notify, 10);
const deaf = await start({ CHANGES_RECONCILE_INTERVAL: interval });
await cutNotify(deaf);
await measure(`the interval alone, ${interval}`, deaf, 200, 0.3);
process.exit(0);
