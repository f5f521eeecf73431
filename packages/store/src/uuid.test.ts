import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUuid, uuidv7 } from './uuid.ts';

test('a uuidv7 has the version and variant bits of RFC 9562 §5.7, and the time it was made', () => {
  const at = new Date('2026-02-03T04:05:06.789Z');
  // More than fit one filling of the random pool, so the refill is met as well.
  for (const id of Array.from({ length: 2000 }, () => uuidv7(at))) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), at.getTime());
    assert.ok(isUuid(id));
  }
});

test('uuids never repeat, and sort by their millisecond', () => {
  const times = Array.from({ length: 1000 }, (_, ms) => new Date(1_700_000_000_000 + ms));
  const ids = times.map(uuidv7);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual([...ids].sort(), ids);
  const sameTime = Array.from({ length: 5000 }, () => uuidv7(new Date(0)));
  assert.equal(new Set(sameTime).size, sameTime.length);
  assert.ok(sameTime.every((id) => id.startsWith('00000000-0000-7')));
});

test('all four variants and every random digit occur, so no random bit is lost on the way', () => {
  const ids = Array.from({ length: 2000 }, () => uuidv7(new Date(0)).replaceAll('-', ''));
  const at = (index: number) => [...new Set(ids.map((id) => id[index]))].sort().join('');
  assert.equal(at(16), '89ab');
  for (const index of [13, 14, 15, 17, 18, 31]) assert.equal(at(index), '0123456789abcdef');
});

test('isUuid takes the canonical lower-case form alone', () => {
  assert.ok(isUuid('019483f2-9c6e-7abc-8def-0123456789ab'));
  for (const value of [
    '',
    '019483F2-9C6E-7ABC-8DEF-0123456789AB',
    '019483f29c6e7abc8def0123456789ab',
    '{019483f2-9c6e-7abc-8def-0123456789ab}',
    '019483f2-9c6e-7abc-8def-0123456789ab\n',
    '019483f2-9c6e-7abc-8def-0123456789abc',
  ])
    assert.ok(!isUuid(value), JSON.stringify(value));
});
