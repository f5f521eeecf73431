import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { SharedPlace } from './shared-state.ts';

export type Race = { place: SharedPlace; task: 'claim' | 'lease'; names: readonly string[]; processes: number };

/** Starts processes that each try to win the same names, all beginning at one moment; what each of them won. */
export const race = async ({ processes, ...work }: Race): Promise<string[][]> => {
  const startAt = Date.now() + 3_000;
  const racers = Array.from({ length: processes }, async () => {
    const racer = spawn(
      process.execPath,
      [fileURLToPath(new URL('racer.ts', import.meta.url)), JSON.stringify({ ...work, startAt })],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [output] = await Promise.all([text(racer.stdout), once(racer, 'exit')]);
    return JSON.parse(output) as string[];
  });
  return Promise.all(racers);
};
