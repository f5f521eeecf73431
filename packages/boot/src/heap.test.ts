import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

/** Keeps some 40 MB, lets ten times as much get old and die, and prints what the heap held at most. */
const program = `
  import { letGarbageGather } from ${JSON.stringify(join(import.meta.dirname, 'heap.ts'))};
  letGarbageGather();
  const piece = (n) => ({ text: 'piece ' + n, list: [n, n + 1, n + 2] });
  const alive = Array.from({ length: 200_000 }, (_, n) => piece(n));
  const passing = new Array(50_000);
  let most = 0;
  for (let n = 0; n < 5_000_000; n += 1) {
    passing[n % passing.length] = piece(n);
    if (n % 20_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (n % 20_000 === 0 && n > 2_000_000) most = Math.max(most, process.memoryUsage().heapUsed);
  }
  console.log(alive.length > 0 && most);
`;

test('garbage does not gather to a multiple of what is alive', async () => {
  const args = ['--max-semi-space-size=4', '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const megabytes = Number(stdout) / 1e6;
  assert.ok(megabytes > 40 && megabytes < 180, `${megabytes} MB`); // without the limit of ours it is 220 to 270 MB
});
