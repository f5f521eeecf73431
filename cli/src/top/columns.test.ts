import assert from 'node:assert/strict';
import { test } from 'node:test';
import stringWidth from 'string-width';
import { beside, columnsOf, fit, type Paint } from './columns.ts';

const bare: Paint = (_style, text) => text;
const columns = [
  { title: 'NAME', cutAt: 'start' as const },
  { title: 'A', right: true },
  { title: 'LONG', right: true },
];
const rows = [['10.42.13.117:9002', '1', '12'], { cells: ['10.42.13.118:9002'], note: 'down: connection refused' }];
const texts = (width: number, paint = bare) => columnsOf(columns, rows, width, paint).map(({ text }) => text);

test('columns are as wide as what they hold, numbers at their right', () => {
  assert.deepEqual(texts(80), [
    'NAME               A  LONG',
    '10.42.13.117:9002  1    12',
    '10.42.13.118:9002  down: connection refused',
  ]);
});

test('a name gives way and keeps its end; nothing is ever wider than there is room', () => {
  assert.equal(texts(21)[1], '…13.117:9002  1    12');
  for (let width = 1; width < 60; width += 1)
    for (const { text, width: said } of columnsOf(
      columns,
      [...rows, ['名前名前名前名前名前', '1', '2']],
      width,
      bare,
    )) {
      assert.ok(stringWidth(text) <= width, `${width}: ${text}`);
      assert.equal(stringWidth(text), said);
    }
});

test('a look changes no width', () => {
  const painted = columnsOf(columns, rows, 21, (_style, text) => `\u001b[31m${text}\u001b[39m`);
  assert.deepEqual(
    painted.map(({ width }) => width),
    columnsOf(columns, rows, 21, bare).map(({ width }) => width),
  );
});

test('what does not fit is counted', () => {
  const lines = Array.from({ length: 5 }, (_, index) => ({ text: `${index}`, width: 1 }));
  const shown = (height: number) => fit(lines, height, bare).map(({ text }) => text);
  assert.deepEqual(shown(5), ['0', '1', '2', '3', '4']);
  assert.deepEqual(shown(3), ['0', '1', '… 3 more']);
  assert.deepEqual(shown(1), []);
  assert.deepEqual(
    beside(lines.slice(0, 2), lines.slice(2), 4).map(({ text }) => text),
    ['0   2', '1   3', '    4'],
  );
});
