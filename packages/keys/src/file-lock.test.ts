import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withFileLock } from './file-lock.ts';

async function lockPath(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'file-lock-'));
  t.after(() => rm(directory, { recursive: true }));
  return { directory, path: join(directory, 'ring.lock') };
}

const ownedBy = (owner: object) => JSON.stringify({ token: 'someone else', pid: 1, host: hostname(), ...owner });
const impatient = { staleAfterMs: 30_000, waitMs: 50 };

test('one at a time, and nothing is left behind', async (t) => {
  const { directory, path } = await lockPath(t);
  let inside = 0;
  const work = async () => {
    inside += 1;
    assert.equal(inside, 1);
    await sleep(2);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 20 }, () => withFileLock(path, work)));
  await assert.rejects(
    withFileLock(path, () => Promise.reject(new Error('work failed'))),
    /work failed/,
  );
  assert.deepEqual(await readdir(directory), []);
});

test('the lock of a process that is gone is taken by exactly one at a time', async (t) => {
  const { path } = await lockPath(t);
  const { pid } = spawnSync(process.execPath, ['--version']);
  let inside = 0;
  const work = async () => {
    inside += 1;
    assert.equal(inside, 1);
    await sleep(2);
    inside -= 1;
  };
  for (let round = 0; round < 6; round += 1) {
    await writeFile(path, ownedBy({ pid }));
    // Spread over a few milliseconds, so that some look while another takes it away.
    await Promise.all(Array.from({ length: 8 }, (_, i) => sleep(i / 2).then(() => withFileLock(path, work))));
  }
});

test('a lock that names our own pid but is not ours is stale', async (t) => {
  const { path } = await lockPath(t);
  await writeFile(path, ownedBy({ pid: process.pid }));
  await withFileLock(path, async () => {}, impatient);
});

test('a lock of a living process, of another host, or still being written is respected until it is old', async (t) => {
  const { path } = await lockPath(t);
  for (const content of [ownedBy({ pid: 1 }), ownedBy({ host: 'elsewhere', pid: 999_999 }), '']) {
    await writeFile(path, content);
    await assert.rejects(
      withFileLock(path, async () => {}, impatient),
      /Another process holds .*ring\.lock/,
    );
    const longAgo = new Date(Date.now() - 31_000);
    await utimes(path, longAgo, longAgo);
    await withFileLock(path, async () => {}, impatient);
  }
});

test('work whose lock was taken is told so before it commits, and leaves the new lock alone', async (t) => {
  const { directory, path } = await lockPath(t);
  await assert.rejects(
    withFileLock(path, async (lock) => {
      await lock.requireHeld();
      await writeFile(path, ownedBy({}));
      await lock.requireHeld();
    }),
    /was lost/,
  );
  assert.deepEqual(await readdir(directory), ['ring.lock']);
});
