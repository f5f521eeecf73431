import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { onCore, otherCore } from '../machine.ts';
import type { LoadOptions, LoadResult } from './plan.ts';

const hasWrk = spawnSync('wrk', ['-v']).error === undefined;

/**
 * Puts a load on a server and says how that went. Plain GETs are made by `wrk` where it is installed: a server that answers
 * them from memory is quicker than any client in JavaScript.
 */
export const runLoad = async (options: LoadOptions): Promise<LoadResult> => {
  const { plan, ports, connections, seconds } = options;
  if (plan.kind === 'get' && ports.length === 1 && seconds >= 1 && hasWrk) {
    const url = `http://127.0.0.1:${ports[0]}${plan.path}`;
    const script = join(import.meta.dirname, 'wrk.lua');
    const output = await outputOf(
      ['wrk', '-t1', `-c${connections}`, `-d${Math.round(seconds)}s`, '-s', script, url],
      '',
    );
    return { ...(JSON.parse(output.trim().split('\n').at(-1) ?? '') as Omit<LoadResult, 'plan'>), plan };
  }
  const generator = [process.execPath, join(import.meta.dirname, 'generator.ts')];
  return JSON.parse(await outputOf(generator, JSON.stringify(options))) as LoadResult;
};

/** What a program writes to standard output; it runs beside the server and not on its core. */
const outputOf = async (program: readonly string[], input: string): Promise<string> => {
  const [command = '', ...args] = onCore(otherCore, program);
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(input);
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const code = await new Promise((closed) => child.once('close', closed));
  if (code !== 0) throw new Error(`${program.join(' ')} ended with ${code}`);
  return text;
};
