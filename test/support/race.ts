import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SharedPlace } from './shared-state.ts';

export type Race = { place: SharedPlace; task: 'claim' | 'lease'; names: readonly string[]; processes: number };

/**
 * Starts processes that each try to win the same names, all at one word; what each of them won. Each begins at another
 * name, or the first to be given the processor might have them all before another runs.
 */
export const race = async ({ processes, names, ...work }: Race): Promise<string[][]> => {
  const program = fileURLToPath(new URL('racer.ts', import.meta.url));
  const racers = await Promise.all(
    Array.from({ length: processes }, async (_, index) => {
      const begin = Math.floor((index * names.length) / processes);
      const order = { ...work, names: [...names.slice(begin), ...names.slice(0, begin)] };
      const racer = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'inherit'] });
      const lines = createInterface({ input: racer.stdout });
      await once(lines, 'line'); // it is ready
      return { racer, lines };
    }),
  );
  const results = racers.map(async ({ lines }) => JSON.parse(((await once(lines, 'line')) as [string])[0]) as string[]);
  for (const { racer } of racers) racer.stdin.end('go\n');
  return Promise.all(results);
};
