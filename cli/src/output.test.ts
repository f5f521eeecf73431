import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pairs, rows, type Value } from './output.ts';

test('an object is a line of key=value pairs', () => {
  const cases: [Record<string, Value>, string][] = [
    [{ id: '1', agent: false, count: 0 }, 'id=1 agent=false count=0'],
    [{ id: '1', revoked_at: undefined, actor: null }, 'id=1'],
    [{ uri: '' }, 'uri='],
    [{ uri: 'https://a.example/?x=1' }, 'uri=https://a.example/?x=1'],
    [{ scopes: ['a', 'b c'], none: [] }, 'scopes=[a,"b c"] none=[]'],
    [{ name: 'My App' }, 'name="My App"'],
    [{ name: 'a "b"' }, 'name="a \\"b\\""'],
    [{ name: 'x\nid=2' }, 'name="x\\nid=2"'],
  ];
  for (const [values, line] of cases) assert.equal(pairs(values), line);
});

test('a name cannot command the terminal or turn the text around', () => {
  assert.equal(pairs({ name: '\u001b[2J' }), 'name="\\u001b[2J"');
  assert.equal(pairs({ name: '\u009b2J' }), 'name="\\u009b2J"');
  assert.equal(pairs({ name: 'a\u202eb' }), 'name="a\\u202eb"');
  assert.equal(pairs({ name: '\u{e0001}' }), 'name="\\udb40\\udc01"');
});

test('an empty list is said to be empty', () => {
  assert.deepEqual(
    rows([], 'no clients found', () => ({})),
    ['no clients found'],
  );
  assert.deepEqual(
    rows([1, 2], 'none', (id) => ({ id })),
    ['id=1', 'id=2'],
  );
});
