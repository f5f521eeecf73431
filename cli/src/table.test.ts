import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pairs, type Value } from './output.ts';
import { readPairs, toTable } from './table.ts';

test('lines of pairs are read as they were written', () => {
  const cases: Record<string, Value>[] = [
    { id: '1', agent: false, count: 0 },
    { name: 'My "App"', uri: 'https://a.example/?x=1&y=2' },
    { scopes: ['a', 'b c', 'd"]e'], none: [], empty: '' },
    { name: 'x\nid=2 \u001b[2J', id: '3' },
  ];
  for (const values of cases) {
    const line = pairs(values);
    assert.deepEqual([...(readPairs(line) ?? [])].map(([key, value]) => `${key}=${value}`).join(' '), line);
    assert.deepEqual([...(readPairs(line) ?? []).keys()], Object.keys(values), line);
  }
  for (const line of ['no clients found', 'issuances (2) since=2026-01-01:', 'client created: id=1', '', 'a= b'])
    assert.equal(readPairs(line), undefined, line);
});

test('lines next to each other share a table; a heading stays a line', () => {
  const lines = ['grants (2):', '  id=1 name="My App"', '  id=22 email=a@b.c', 'grants (0):', 'done: id=1'];
  assert.deepEqual(toTable(lines), [
    'grants (2):',
    'ID  NAME    EMAIL',
    '1   My App',
    '22          a@b.c',
    'grants (0):',
    'done: id=1',
  ]);
});

test('one object is a table of its members, unless it is a list of one', () => {
  assert.deepEqual(toTable(['id=1 name=App'], { single: true }), ['id    1', 'name  App']);
  assert.deepEqual(toTable(['id=1 name=App']), ['ID  NAME', '1   App']);
});

test('the widest columns are cut to the terminal, the first never', () => {
  const id = 'an-id-that-has-to-be-whole';
  const lines = [`id=${id} name="${'n'.repeat(60)}" status=active`, 'id=2 name=b status=x'];
  const table = toTable(lines, { columns: 60 });
  assert.ok(table.every((line) => line.length <= 60));
  assert.match(table[1] ?? '', /^an-id-that-has-to-be-whole {2}n+… {2}active$/);
  assert.equal(toTable(lines)[1]?.length, id.length + 60 + 'active'.length + 4);
});

test('wide characters count as two columns, and are not cut in half', () => {
  const [head, first, second] = toTable(['id=1 name=日本語 x=1', 'id=2 name=ab x=2']);
  assert.deepEqual([head, first, second], ['ID  NAME    X', '1   日本語  1', '2   ab      2']);
  assert.match(toTable(['id=1 name=日本語日本語'], { columns: 12 })[1] ?? '', /^1 {3}日本語…$/);
});

test('a name cannot command the terminal from a table either', () => {
  for (const name of ['\u001b[2J', 'a\u202eb', '\u009b2J', 'a\nb'])
    assert.equal(toTable([pairs({ id: '1', name })])[1], `1   ${pairs({ name }).slice('name='.length)}`);
});
