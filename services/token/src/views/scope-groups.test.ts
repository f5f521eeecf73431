import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupScopes } from './scope-groups.ts';

const many = (...names: string[]) => names.flatMap((name) => ['a', 'b', 'c', 'd', 'e'].map((end) => `${name}${end}`));
const cases: [what: string, names: string[], groups: [prefix: string | undefined, count: number][]][] = [
  ['a short list stays one', ['a:x', 'a:y', 'b:x', 'b:y'], [[undefined, 4]]],
  [
    'colon, dot and slash',
    many('mail:', 'files.', 'tools/'),
    [
      ['mail', 5],
      ['files', 5],
      ['tools', 5],
    ],
  ],
  ['one prefix is no group', many('mail:', 'mail.'), [[undefined, 10]]],
  ['no prefix at all', many('x', 'y'), [[undefined, 10]]],
  [
    'what is alone comes last',
    ['solo', 'one:x', ...many('a:', 'b:')],
    [
      ['a', 5],
      ['b', 5],
      [undefined, 2],
    ],
  ],
  [
    'a name that begins with a separator',
    ['/x', ...many('a:', 'b:')],
    [
      ['a', 5],
      ['b', 5],
      [undefined, 1],
    ],
  ],
];

for (const [what, names, groups] of cases)
  test(`scopes in groups: ${what}`, () => {
    const made = groupScopes(names.map((name) => ({ name })));
    assert.deepEqual(
      made.map(({ prefix, scopes }) => [prefix, scopes.length]),
      groups,
    );
    assert.deepEqual(made.flatMap(({ scopes }) => scopes.map(({ name }) => name)).sort(), [...names].sort());
  });
