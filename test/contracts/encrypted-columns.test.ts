import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { encryptedColumns, openDatabase } from '@authserver/store';
import { createDatabase } from '../support/database.ts';

const { dsn, drop } = await createDatabase();
const database = openDatabase({ dsn, maxConnections: 1, applicationName: 'test' });
after(async () => {
  await database.end();
  await drop();
});

test('every column of the schema that is called encrypted is one of those that are encrypted anew', async () => {
  const { rows } = await database.query(
    'columns',
    `select table_name || '.' || column_name as name from information_schema.columns
      where table_schema = 'public' and column_name like 'enc\\_%' and data_type = 'bytea' order by 1`,
  );
  assert.deepEqual(
    rows.map(({ name }) => name),
    encryptedColumns.map(({ table, column }) => `${table}.${column}`).sort(),
  );
});

test('each says what encrypted it, has the key that is named, and an owner of its own', async () => {
  const owners = new Set<string>();
  for (const { table, backend, key, ownerOf } of encryptedColumns) {
    const { rows } = await database.query(
      `of_${table}`,
      `select c.column_name as name, c.data_type as type from information_schema.columns c where c.table_name = $1`,
      [table],
    );
    const types = Object.fromEntries(rows.map(({ name, type }) => [name as string, type]));
    assert.equal(types[backend], 'text', `${table}.${backend}`);
    assert.equal(types[key.column], key.type, `${table}.${key.column}`);
    owners.add(ownerOf('x'));
  }
  assert.equal(owners.size, encryptedColumns.length);
});
