import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { clockFaults } from './clocks.ts';
import { cutFaults } from './cuts.ts';
import { serviceFaults } from './engines.ts';
import type { Fault } from './fault.ts';
import { keyFaults } from './keys.ts';
import { messageFaults } from './messages.ts';
import { migrationFaults } from './migrations.ts';
import { podFaults } from './pods.ts';

export const faults: readonly Fault[] = [
  ...podFaults,
  ...serviceFaults,
  ...cutFaults,
  ...messageFaults,
  ...clockFaults,
  ...keyFaults,
  ...migrationFaults,
];

export type Schedule = {
  /** Only these, in this order, once; otherwise all that are possible, in any order, until the time is over. */
  only?: readonly string[] | undefined;
  holdMs: readonly [number, number];
  pauseMs: readonly [number, number];
  onFault: (name: string) => void;
};

/** Injects faults one after the other, and at times two at once, until the list or the time is at its end. */
export const injectFaults = async (world: World, random: Random, schedule: Schedule): Promise<void> => {
  const { only, holdMs, pauseMs, onFault } = schedule;
  const possible = faults.filter((fault) => fault.possible?.(world) ?? true);
  const inject = async (fault: Fault): Promise<void> => {
    onFault(fault.name);
    const hold = async () => {
      await sleep(random.between(...holdMs));
    };
    await fault.run(world, random, hold).catch((error: Error) => {
      world.violations.add('harness-understands', `fault ${fault.name}: ${error.stack}`);
    });
  };
  const named = only?.map((name) => {
    const fault = faults.find((each) => each.name === name);
    if (!fault)
      throw new RangeError(`there is no fault ${name}; there are: ${faults.map((each) => each.name).join(' ')}`);
    return fault;
  });

  let deck: Fault[] = [];
  const draw = (): Fault => {
    if (deck.length === 0) deck = shuffled(possible, random);
    return deck.pop() as Fault;
  };
  while (!world.over.aborted) {
    await sleep(random.between(...pauseMs), undefined, { signal: world.over }).catch(() => {});
    if (world.over.aborted) return;
    const first = named ? named.shift() : draw();
    if (!first) return;
    if (named && !possible.includes(first)) continue;
    if (first.alone) {
      while (world.disturbances.active().length > 0 && !world.over.aborted) await sleep(100);
      await inject(first);
      continue;
    }
    const second = !named && random.chance(0.25) ? draw() : undefined;
    const together = second && !second.alone && (second.only === undefined || second.only !== first.only);
    if (second && !together) deck.unshift(second);
    await Promise.all([inject(first), ...(together ? [inject(second)] : [])]);
  }
};

const shuffled = <T>(list: readonly T[], random: Random): T[] => {
  const all = [...list];
  for (let index = all.length - 1; index > 0; index -= 1) {
    const other = random.integer(0, index);
    [all[index], all[other]] = [all[other] as T, all[index] as T];
  }
  return all;
};
