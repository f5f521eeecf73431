import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgress } from './progress.ts';

const watched = (options: { isTTY?: boolean; columns?: number } = {}) => {
  const written: string[] = [];
  let time = 0;
  return {
    written,
    tick: (ms: number) => (time += ms),
    options: {
      stderr: { isTTY: true, columns: 60, ...options, write: (text: string) => written.push(text) },
      now: () => time,
    },
  };
};

test('a bar shows how far the work is, and leaves the line that is said at the end', () => {
  const { written, tick, options } = watched();
  const progress = createProgress({ label: 'deleting', total: 200, ...options });
  tick(100);
  progress.advance(50);
  progress.advance(1); // too soon to be drawn
  tick(100);
  progress.set(200);
  progress.done('deleted 200 rows');
  const bar = (text: string) => text.replace('\r\u001b[K', '');
  assert.deepEqual(written.map(bar), [
    `deleting [${'-'.repeat(30)}] 0/200 0%`,
    `deleting [${'#'.repeat(8)}${'-'.repeat(22)}] 50/200 25%`,
    `deleting [${'#'.repeat(30)}] 200/200 100%`,
    'deleted 200 rows\n',
  ]);
  assert.ok(written.every((text) => text.startsWith('\r\u001b[K')));
});

test('it fits a narrow terminal, and counts where there is no total', () => {
  for (const columns of [12, 20, 30]) {
    const { written, options } = watched({ columns });
    createProgress({ label: 'deleting', total: 1_000_000, ...options });
    assert.ok(written.every((text) => text.replace('\r\u001b[K', '').length < columns));
  }
  const { written, options } = watched();
  createProgress({ label: 'reading', ...options }).done();
  assert.deepEqual(written, ['\r\u001b[Kreading 0', '\r\u001b[K']);
});

test('nothing is written into a pipe, or when it is not wanted', () => {
  for (const [tty, enabled] of [
    [false, true],
    [true, false],
  ] as const) {
    const { written, options } = watched({ isTTY: tty });
    const progress = createProgress({ label: 'deleting', total: 1, enabled, ...options });
    progress.advance(1);
    progress.done('done');
    assert.deepEqual(written, []);
  }
});
