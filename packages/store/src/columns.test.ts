import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bool, bytea, type Column, columnsOf, integer, jsonb, text, timestamptz, uuid } from './columns.ts';

/** The values of one column in hexadecimal, without the head of the array. */
const written = <Item>(items: readonly Item[], column: Column<Item>): string =>
  columnsOf(items, column)[0]?.toString('hex', 20) ?? '';

test('an array begins with its dimensions, whether it holds nulls, its type, its length and its lower bound', () => {
  const head = (items: (number | undefined)[]) =>
    columnsOf(
      items,
      integer((item) => item),
    )[0]?.toString('hex', 0, 20);
  assert.equal(head([1, 2]), '0000000100000000000000170000000200000001');
  assert.equal(head([1, undefined, 2]), '0000000100000001000000170000000300000001');
});

const id = '0192f0c1-7a3b-7cde-8f01-23456789ABCD';
for (const [what, column, hex] of [
  ['null', text(() => null), 'ffffffff'],
  ['an empty text', text(() => ''), '00000000'],
  ['a text of several bytes', text(() => 'é€'), '00000005c3a9e282ac'],
  ['half a surrogate pair', text(() => '\ud800'), '00000003efbfbd'],
  ['bytes', bytea(() => Buffer.from('00ff', 'hex')), '0000000200ff'],
  ['true', bool(() => true), '0000000101'],
  ['false', bool(() => false), '0000000100'],
  ['a negative number', integer(() => -2), '00000004fffffffe'],
  ['JSON', jsonb(() => '[]'), '00000003015b5d'],
  ['a UUID, in capitals or not', uuid(() => id), '000000100192f0c17a3b7cde8f0123456789abcd'],
  ['the first moment of 2000', timestamptz(() => new Date('2000-01-01T00:00:00Z')), '000000080000000000000000'],
  ['a moment before it', timestamptz(() => new Date('1999-12-31T23:59:59.999Z')), '00000008fffffffffffffc18'],
  ['a moment long after it', timestamptz(() => new Date('2026-11-29T02:15:35.123Z')), '000000080003045fa31d0038'],
] as const)
  test(`${what} is written as PostgreSQL reads it`, () => assert.equal(written([0], column), hex));

for (const value of ['', id.slice(1), `${id}0`, id.replace('7', 'g'), `${id.slice(0, -1)}é`])
  test(`'${value}' is no UUID and is not sent`, () =>
    assert.throws(
      () =>
        columnsOf(
          [value],
          uuid((item) => item),
        ),
      TypeError,
    ));

test('a time that is none is not sent', () =>
  assert.throws(
    () =>
      written(
        [new Date(Number.NaN)],
        timestamptz((item) => item),
      ),
    TypeError,
  ));

test('a value may be longer than what was written before, and what was sent stays as it is', () => {
  const long = 'x'.repeat(100_000);
  const [first] = columnsOf(
    ['a', long, 'b'],
    text((item) => item),
  );
  columnsOf(
    ['other', 'values'],
    text((item) => item),
  );
  assert.equal(first?.toString('latin1', 20), `\0\0\0\x01a\0\x01\x86\xa0${long}\0\0\0\x01b`);
});
