import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { access, rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { CommandFailure, exitCodes } from '../failure.ts';

/**
 * Writes `items` as lines of JSON, no faster than they are taken, and returns how many. A file appears whole or not at
 * all, and is for nobody but its owner: it says who did what.
 *
 * @throws {CommandFailure} conflict, when the file is there already
 */
export const writeLines = async (to: string, items: AsyncIterable<unknown>, onLine: () => void): Promise<number> => {
  if (to === '-') return writeTo(process.stdout, items, onLine);
  if (await exists(to)) throw new CommandFailure('conflict', exitCodes.conflict, `${to} is there already`);
  const part = `${to}.part`;
  const file = createWriteStream(part, { flags: 'w', mode: 0o600 });
  try {
    await once(file, 'open');
    const count = await writeTo(file, items, onLine);
    file.end();
    await once(file, 'close');
    await rename(part, to);
    return count;
  } catch (error) {
    file.destroy();
    await rm(part, { force: true });
    throw error;
  }
};

const writeTo = async (out: Writable, items: AsyncIterable<unknown>, onLine: () => void): Promise<number> => {
  let failed: NodeJS.ErrnoException | undefined;
  out.on('error', (error) => {
    failed = error;
  });
  let count = 0;
  try {
    for await (const item of items) {
      if (!out.write(`${JSON.stringify(item)}\n`)) await once(out, 'drain'); // which an error ends as well
      if (failed) break;
      count += 1;
      onLine();
    }
  } catch (cause) {
    if (!failed) throw new CommandFailure('incomplete', exitCodes.failure, brokeOff(count, cause), { cause });
  }
  // A reader may have seen enough, such as `head`. A disk that is full is another matter.
  if (failed && failed.code !== 'EPIPE') throw failed;
  return count;
};

const brokeOff = (count: number, cause: unknown): string => {
  const { message } = cause as Error;
  return `the answer broke off after ${count} lines: ${message === 'terminated' ? 'the connection was lost' : message}`;
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
