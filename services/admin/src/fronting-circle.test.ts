import assert from 'node:assert/strict';
import { test } from 'node:test';
import { circleClosedBy } from './fronting-circle.ts';

const edge = (text: string) => {
  const [source = '', target = ''] = text.split('>');
  return { source, target };
};
const cases: [added: string, present: string, way: string | undefined][] = [
  ['a>b', '', undefined],
  ['b>a', 'a>b', 'b a b'],
  ['c>a', 'a>b b>c', 'c a b c'],
  ['c>a', 'a>b b>c a>c', 'c a c'],
  ['a>c', 'a>b b>c', undefined],
  ['a>d', 'b>c c>b a>b', undefined],
  ['a>b', 'b>c c>b', undefined],
  ['d>a', 'a>b a>c b>d c>d', 'd a b d'],
  ['a>a', '', 'a a'],
];
for (const [added, present, way] of cases)
  test(`${added} beside ${present || 'nothing'}: ${way ?? 'no circle'}`, () => {
    const edges = present.split(' ').filter(Boolean).map(edge);
    assert.equal(circleClosedBy(edge(added), edges)?.join(' '), way);
  });
