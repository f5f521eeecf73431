import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db.ts';
import { gentle, type Pace, sweep } from './sweep.ts';
import type { Batch, PurgeStep } from './target.ts';

type Asked = { limit: number; from: string | undefined };

/** Sweeps what `deleteSome` says, without a rest unless there is one in the pace. */
const swept = async (
  deleteSome: (asked: Asked, turn: number) => Promise<Batch>,
  { pace = {}, signal = new AbortController().signal }: { pace?: Partial<Pace>; signal?: AbortSignal } = {},
) => {
  const asked: Asked[] = [];
  const step: PurgeStep = {
    table: 'rows',
    deleteSome: (_db, { limit, from }) => deleteSome({ limit, from }, asked.push({ limit, from })),
    count: async () => 0,
    dueSince: async () => undefined,
  };
  let deleted = 0;
  await sweep(step, {} as Database, {
    now: () => new Date(),
    signal,
    pace: { ...gentle, rest: 0, leastRestMs: 0, ...pace },
    onDeleted: (rows) => {
      deleted += rows;
    },
  });
  return { asked, deleted };
};

test('each batch goes on where the last one ended, until one says that it was the last', async () => {
  const { asked, deleted } = await swept(async (_, turn) => ({
    deleted: 10,
    next: turn < 4 ? `row ${turn}` : undefined,
  }));
  assert.deepEqual(
    asked.map(({ from }) => from),
    [undefined, 'row 1', 'row 2', 'row 3'],
  );
  assert.equal(deleted, 40);
});

test('batches that are fast grow, at most twofold and to the most', async () => {
  const { asked } = await swept(async (_, turn) => ({ deleted: 1, next: turn < 6 ? 'more' : undefined }), {
    pace: { first: 100, most: 500, aimMs: 1_000 },
  });
  assert.deepEqual(
    asked.map(({ limit }) => limit),
    [100, 200, 400, 500, 500, 500],
  );
});

test('batches that are slow shrink, at most by half and to the least', async () => {
  const slow = async (_: Asked, turn: number) => {
    await sleep(20);
    return { deleted: 1, next: turn < 5 ? 'more' : undefined };
  };
  const { asked } = await swept(slow, { pace: { first: 100, least: 20, aimMs: 1 } });
  assert.deepEqual(
    asked.map(({ limit }) => limit),
    [100, 50, 25, 20, 20],
  );
});

test('what takes long is followed by a long rest', async () => {
  const started = performance.now();
  await swept(
    async (_, turn) => {
      await sleep(20);
      return { deleted: 1, next: turn < 3 ? 'more' : undefined };
    },
    { pace: { rest: 10, mostRestMs: 150 } },
  );
  assert.ok(performance.now() - started >= 3 * 19 + 2 * 149, 'two rests');
});

test('an abort ends a rest at once, and no batch comes after it', async () => {
  const controller = new AbortController();
  const { asked, deleted } = await swept(
    async (_, turn) => {
      if (turn === 2) controller.abort();
      return { deleted: 5, next: 'more' };
    },
    { signal: controller.signal, pace: { leastRestMs: 5, mostRestMs: 60_000 } },
  );
  assert.equal(asked.length, 2);
  assert.equal(deleted, 10);
});
