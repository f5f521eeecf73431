import { setTimeout as sleep } from 'node:timers/promises';
import { Unavailable, Violated } from '../judge.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { inspectSample } from './introspection.ts';
import { machineActs } from './machine.ts';
import { metadataActs } from './metadata.ts';
import { registrationModeActs, rotationActs, suspensionActs } from './operator.ts';
import { codeRaceActs, refreshRaceActs, sessionActs } from './session.ts';

const acts = {
  session: sessionActs,
  machine: machineActs,
  inspection: inspectSample,
  metadata: metadataActs,
  refreshRace: refreshRaceActs,
  codeRace: codeRaceActs,
  suspension: suspensionActs,
  registrationMode: registrationModeActs,
  rotation: rotationActs,
};

/** How often each begins; a session is some twenty requests, an inspection is one. */
const weights = {
  session: 10,
  machine: 22,
  inspection: 40,
  metadata: 10,
  refreshRace: 2,
  codeRace: 2,
  suspension: 3,
  registrationMode: 1,
  rotation: 1,
} as const;

const PAUSE_MS = 300;

/** So many actors do one thing after another until it is over. */
export const runActors = async (world: World, random: Random, count: number): Promise<void> => {
  const actor = async (own: Random): Promise<void> => {
    while (!world.over.aborted) {
      const name = own.weighted(weights);
      const started = performance.now();
      await acts[name](world, own).catch((error: Error) => {
        if (error instanceof Unavailable || error instanceof Violated) return;
        world.violations.add('harness-understands', `${name}: ${error.stack}`);
      });
      const took = performance.now() - started;
      if (took < PAUSE_MS) await sleep(own.between(0, PAUSE_MS));
    }
  };
  await Promise.all(Array.from({ length: count }, (_, n) => actor(random.fork(`actor ${n}`))));
};
