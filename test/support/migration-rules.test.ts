import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breachesOf } from './migration-rules.ts';

const rulesOf = (sql: string) => breachesOf(sql).map(({ rule }) => rule);

for (const [sql, rule] of [
  ['drop table clients;', 'drops something'],
  ['Drop Function f(text);', 'drops something'],
  ['alter table clients add column a text, drop column b;', 'drops a column'],
  ['alter table clients\n  rename column a to b;', 'renames'],
  ['alter table clients rename to apps', 'renames'],
  ['alter table clients alter column a type bigint;', 'changes a type'],
  ['alter table clients alter a set data type bigint;', 'changes a type'],
  ['alter table clients alter column a set not null;', 'forbids null'],
  ['alter table clients alter column a drop default;', 'takes a default away'],
  ['alter table clients add constraint c check (a > 0);', 'demands what earlier releases do not give'],
  ['create unique index i on clients (a);', 'demands uniqueness'],
  ['delete from clients where a is null;', 'deletes rows'],
  ['truncate clients;', 'deletes rows'],
  ['alter table clients add column a text not null;', 'adds a column that earlier releases leave empty'],
  [
    "alter table clients add column a text not null default ';', add column b int not null",
    'adds a column that earlier releases leave empty',
  ],
  [
    'alter table a add column x int; alter table b add column x int;',
    'locks a second table, so that it and requests may wait for each other',
  ],
] as const)
  test(`is a breach: ${sql}`, () => assert.deepEqual(rulesOf(sql), [rule]));

for (const sql of [
  'create table t (id int primary key, a text not null); create unique index i on t (a); alter table t drop column a;',
  "alter table clients add column a text not null default 'x';",
  'alter table clients add column a text, add column b jsonb;',
  'alter table clients add column a text, add column b text check (a is not null or b is null);',
  'alter table clients add column a int not null generated always as identity;',
  'alter table clients drop constraint c;', // allows more than before
  'alter table clients alter column a drop not null;',
  'create index i on clients (a); drop index j;',
  'create or replace function f() returns void language plpgsql as $$ begin drop table x; delete from y; end $$;',
  "-- drop table clients;\n/* drop table users; */ select 'drop table x; delete from y';",
  'insert into settings values (1); update clients set a = 1;',
])
  test(`is none: ${sql}`, () => assert.deepEqual(rulesOf(sql), []));

test('what contracts names the release that stopped using it', () => {
  const [marked, other] = breachesOf(`-- The name moved to another table.
    -- contract: unused since 0.3.0
    alter table clients drop column old_name;
    alter table clients drop column other;`);
  assert.deepEqual([marked?.unusedSince, other?.unusedSince], ['0.3.0', undefined]);
});
