/** What operators do while everybody works: suspend and reactivate clients, switch the registration mode. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdminApiError } from '@authserver/admin-api';
import type { TestApp } from '../../support/test-app.ts';
import type { Random } from '../random.ts';
import { administer, ifAvailable, type World } from '../world.ts';
import { inspectEverywhere } from './introspection.ts';
import { machineToken } from './machine.ts';
import { atPod } from './population.ts';

const busy = new Set<string>();

/** Runs alone, or not at all when somebody does the same with the same thing. */
const alone = async (name: string, work: () => Promise<void>): Promise<void> => {
  if (busy.has(name)) return;
  busy.add(name);
  try {
    await work();
  } finally {
    busy.delete(name);
  }
};

/** For all tries of one change: what a frozen pod still holds of it does nothing when it comes after the next change. */
const once = () => ({ idempotencyKey: randomBytes(12).toString('hex') });

const POLL_MS = 20;
const AWAY_POLL_MS = 200;

/**
 * Waits until every pod does what `follows` asks for. Those that nothing disturbed have to do it in time; the others are
 * waited for as well, since they have to find back.
 */
export const followed = async (
  world: World,
  what: string,
  follows: (pod: string) => Promise<boolean | undefined>,
): Promise<void> => {
  const { cluster, violations, disturbances, boundMs, propagation } = world;
  const started = performance.now();
  await Promise.all(
    cluster.tokenPods.map(async ({ name }) => {
      violations.checked('pods-converge');
      while (!world.over.aborted) {
        const does = await follows(name);
        const now = performance.now();
        const took = now - started;
        if (does === true) {
          if (!disturbances.touched(name, started - boundMs))
            propagation.set(what, [...(propagation.get(what) ?? []), took]);
          return;
        }
        // Once it has been left in peace for so long, it has to have found back.
        if (does === false && took > boundMs && !disturbances.touched(name, now - boundMs)) {
          violations.add('pods-converge', `${name} has not followed "${what}" after ${Math.round(took)} ms`);
          return;
        }
        await sleep(does === undefined ? AWAY_POLL_MS : POLL_MS);
      }
    }),
  );
};

/** A client is suspended: its tokens are dead at once, and it gets no new ones soon. Then it may work again. */
export const suspensionActs = async (world: World, random: Random): Promise<void> => {
  const app = random.pick(world.population.unsteady);
  await alone(app.clientId, async () => {
    const { ledger } = world;
    const token = await machineToken(world, app);
    const confirm = ledger.ending(`client:${app.clientId}`, 'all');
    await administer(world, random, 'suspend a client', (admin) =>
      admin.client.suspend({ id: app.clientId, ...once() }),
    );
    confirm();
    if (token) await inspectEverywhere(world, [token]);
    await followed(world, 'client suspended', (pod) => works(world, app, pod).then((at) => at && at === 'no'));
    const reopened = ledger.reopening(`client:${app.clientId}`);
    await administer(world, random, 'reactivate a client', (admin) =>
      admin.client.reactivate({ id: app.clientId, ...once() }),
    );
    reopened();
    if (token) await inspectEverywhere(world, [token]);
    await followed(world, 'client reactivated', (pod) => works(world, app, pod).then((at) => at && at === 'yes'));
  });
};

/** Whether a client gets tokens at a pod. What it gets after its suspension is dead, which the ledger knows. */
const works = async (world: World, app: TestApp, pod: string): Promise<'yes' | 'no' | undefined> => {
  const from = performance.now();
  const { resource, scope } = world.population;
  const answer = await ifAvailable(
    world.judge.ask({ kind: 'machine', pod, denials: ['invalid_client'] }, () =>
      atPod(world.cluster, app, pod).clientCredentials({ resource, scope }),
    ),
  );
  if (answer?.status === 200) world.ledger.add(answer.body.access_token, [`client:${app.clientId}`], from);
  return answer && (answer.status === 200 ? 'yes' : 'no');
};

/**
 * A rotation without force, as a schedule makes it: refused while the next key has not been served for a cache lifetime, so one in
 * five minutes is done. The `kid` that signs from then on, undefined when it was not time.
 */
export const rotateInOrder = async (world: World, random: Random): Promise<string | undefined> => {
  const { idempotencyKey } = once();
  const kid = await administer(world, random, 'rotate', async (admin) => {
    try {
      const rotated = await admin.key.rotate({ idempotencyKey, body: {} });
      for (const key of (await admin.key.list()).keys) world.keys.noteKey(key.kid);
      return rotated.kid;
    } catch (error) {
      if (error instanceof AdminApiError && error.code === 'conflict') return undefined;
      throw error;
    }
  });
  if (kid !== undefined) world.keys.noteOrderly(kid);
  return kid;
};

export const rotationActs = async (world: World, random: Random): Promise<void> =>
  alone('rotation', async () => {
    await rotateInOrder(world, random);
  });

/** Registration is closed and opened again. */
export const registrationModeActs = async (world: World, random: Random): Promise<void> =>
  alone('dcr', async () => {
    for (const mode of ['admin_only', 'open'] as const) {
      await administer(world, random, `dcr set ${mode}`, (admin) => admin.dcr.set({ body: { mode } }));
      await followed(world, `dcr ${mode}`, (pod) => registration(world, pod).then((at) => at && at === mode));
      await sleep(random.between(0, 2_000));
    }
  });

/** The mode of a pod, by what it says to a registration that nobody could accept. */
export const registration = async (world: World, pod: string): Promise<'open' | 'admin_only' | undefined> => {
  const answer = await ifAvailable(
    world.judge.ask(
      { kind: 'register', pod, denials: ['access_denied', 'invalid_redirect_uri', 'invalid_client_metadata'] },
      async () => {
        const response = await fetch(`${world.cluster.balancer.door(pod)}/oauth/register`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        });
        return { status: response.status, headers: response.headers, body: await response.json() };
      },
    ),
  );
  return answer && ((answer.body as { error?: string }).error === 'access_denied' ? 'admin_only' : 'open');
};
