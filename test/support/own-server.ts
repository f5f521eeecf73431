import { rm } from 'node:fs/promises';
import { after } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Tethered, tether } from '@authserver/cli/embedded-postgres';

/**
 * A server of the test file's own, to stop and start as one must not with a shared one. It is gone when the file ends, and its
 * directory with it.
 *
 * @throws {Error} with what it printed when `answers` does not become true
 */
export const startOwnServer = async (options: {
  name: string;
  binary: string | undefined;
  args: string[];
  env?: NodeJS.ProcessEnv;
  directory: string;
  answers(): Promise<boolean>;
}) => {
  const { name, binary, args, env, directory, answers } = options;
  if (binary === undefined) throw new Error(`there is no ${name} on PATH`);
  let server: Tethered | undefined;

  const start = async (): Promise<void> => {
    server = tether(binary, args, { signal: 'TERM', env: { PATH: process.env.PATH, ...env } });
    for (let left = 200; !(await answers()); left -= 1) {
      if (server.hasExited() || left === 0) throw new Error(`${name} did not start: ${server.output()}`);
      await setTimeout(25);
    }
  };
  const stop = async (): Promise<void> => {
    await server?.stop();
    server = undefined;
  };
  await start();
  after(async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  });
  return { start, stop };
};
