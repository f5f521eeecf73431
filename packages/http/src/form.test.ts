import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseForm } from './form.ts';

const cases: [text: string, params: Record<string, string | string[]>][] = [
  ['', {}],
  ['grant_type=client_credentials', { grant_type: 'client_credentials' }],
  ['a=1&b=2', { a: '1', b: '2' }],
  ['a=', { a: '' }],
  ['a', { a: '' }],
  ['a=1&a=2', { a: ['1', '2'] }],
  ['a=1&a=2&a=', { a: ['1', '2', ''] }],
  ['scope=tools%2Fread+tools%2Fwrite', { scope: 'tools/read tools/write' }],
  ['a=%C3%A9', { a: 'é' }],
  ['a=b=c', { a: 'b=c' }],
  ['a=%00', { a: '\0' }],
  ['a%20b=1', { 'a b': '1' }],
];

for (const [text, params] of cases)
  test(`${JSON.stringify(text)} is read`, () => assert.deepEqual({ ...parseForm(text) }, params));

test('whatever is sent is read as the URL standard reads it', () => {
  const pieces = [
    'a',
    'b',
    '=',
    '&',
    '+',
    '%',
    '%2B',
    '%26',
    '%3d',
    '%e2%82%ac',
    '%e2',
    '%zz',
    '€',
    '\ud83d\ude00',
    '\ud83d',
    '\0',
  ];
  for (let at = 0; at < 20_000; at += 1) {
    const text = Array.from({ length: 7 }, (_, place) => pieces[(at * 31 + place * place * at) % pieces.length]).join(
      '',
    );
    const read = Object.entries(parseForm(text)).flatMap(([name, values]) =>
      [values].flat().map((value) => [name, value]),
    );
    const standard = [...new URLSearchParams(text)];
    assert.deepEqual(read.toSorted(byText), standard.toSorted(byText), JSON.stringify(text));
  }
});
const byText = (one: string[], other: string[]) => (String(one) < String(other) ? -1 : 1);

test('a parameter named like a member of Object is a parameter, and nothing is polluted', () => {
  const params = parseForm('__proto__=1&constructor=2&toString=3&__proto__=4');
  assert.equal(Object.getPrototypeOf(params), null);
  assert.deepEqual(Object.entries(params), [
    ['__proto__', ['1', '4']],
    ['constructor', '2'],
    ['toString', '3'],
  ]);
  assert.equal(({} as Record<string, unknown>)['1'], undefined);
});
