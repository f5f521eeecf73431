/**
 * Every column that holds something encrypted, in one place: what is not here is not encrypted anew when the key changes. A
 * test holds the list against the columns `enc_*` of the schema.
 */
import type { Queryable, Row } from './db.ts';

export type EncryptedColumn = {
  table: string;
  column: string;
  /** Says what encrypted it. */
  backend: string;
  key: { column: string; type: 'text' | 'uuid' | 'bytea' };
  /** Who a value belongs to, for the cipher; `key` as text. */
  ownerOf: (key: string) => string;
};

export const encryptedColumns: readonly EncryptedColumn[] = [
  {
    ...{ table: 'signing_keys', column: 'enc_private', backend: 'enc_backend' },
    key: { column: 'kid', type: 'text' },
    ownerOf: (kid) => `signing-key:${kid}`,
  },
  {
    ...{ table: 'broker_providers', column: 'enc_secret_data', backend: 'enc_secret_backend' },
    key: { column: 'id', type: 'uuid' },
    ownerOf: (id) => `provider:${id}`,
  },
  {
    ...{ table: 'broker_grants', column: 'enc_credential', backend: 'enc_backend' },
    key: { column: 'id', type: 'uuid' },
    ownerOf: (id) => `broker-grant:${id}`,
  },
  {
    ...{ table: 'connect_pending_states', column: 'enc_verifier', backend: 'enc_backend' },
    key: { column: 'state_hash', type: 'bytea' },
    ownerOf: (hash) => `connect-state:${hash.replace(/^\\x/, '')}`,
  },
];

export type EncryptedValue = { key: string; backend: string; blob: Buffer };
export type Replacement = { key: string; before: EncryptedValue; after: { backend: string; blob: Buffer } };

/** Values that begin alike: the same backend and the same key of it. */
export type EncryptedGroup = { backend: string; prefix: Buffer; count: number; example: EncryptedValue };

/** What names backend and key, at the beginning of a value: see the formats in `packages/encryption`. */
const prefixOf = (column: string, backend: string): string =>
  `case when ${backend} = 'aes_master' then substring(${column} from 1 for 9)
        else coalesce(decode(substring(encode(substring(${column} from 1 for 20), 'escape') from '^vault:v[0-9]+:'), 'escape'), '') end`;

export const encryptedValues = (db: Queryable) => ({
  /** So many values after a key, in the order of keys. */
  async page({ table, column, backend, key }: EncryptedColumn, after: string | undefined, limit: number) {
    const { rows } = await db.query(
      `encrypted_page_${table}`,
      `select ${key.column}::text as key, ${column} as blob, ${backend} as backend from ${table}
        where ${column} is not null and ($1::${key.type} is null or ${key.column} > $1)
        order by ${key.column} limit $2`,
      [after ?? null, limit],
    );
    return rows.map(toValue);
  },

  async count({ table, column }: EncryptedColumn): Promise<number> {
    const { rows } = await db.query(
      `encrypted_count_${table}`,
      `select count(*) as n from ${table} where ${column} is not null`,
    );
    return Number(rows[0]?.n);
  },

  /** What there is, by backend and key, with one value of each. */
  async groups({ table, column, backend, key }: EncryptedColumn): Promise<EncryptedGroup[]> {
    const { rows } = await db.query(
      `encrypted_groups_${table}`,
      `select g.*, t.${key.column}::text as key, t.${column} as blob
         from (select ${backend} as backend, ${prefixOf(column, backend)} as prefix, count(*) as count,
                      min(${key.column}::text) as example
                 from ${table} where ${column} is not null group by 1, 2) g
         join ${table} t on t.${key.column} = g.example::${key.type} and t.${column} is not null
        order by g.backend, g.prefix`,
    );
    return rows.map((row) => ({
      backend: row.backend as string,
      prefix: row.prefix as Buffer,
      count: Number(row.count),
      example: toValue(row),
    }));
  },

  /** Replaces what is still as it was. Returns how many were. */
  async replace({ table, column, backend, key }: EncryptedColumn, changes: readonly Replacement[]): Promise<number> {
    if (changes.length === 0) return 0;
    const { rowCount } = await db.query(
      `encrypted_replace_${table}`,
      `update ${table} t set ${column} = n.blob, ${backend} = n.backend
         from unnest($1::text[], $2::bytea[], $3::text[], $4::bytea[], $5::text[])
           as n (key, old_blob, old_backend, blob, backend)
        where t.${key.column} = n.key::${key.type} and t.${column} = n.old_blob and t.${backend} = n.old_backend`,
      [
        changes.map((change) => change.key),
        changes.map(({ before }) => before.blob),
        changes.map(({ before }) => before.backend),
        changes.map(({ after }) => after.blob),
        changes.map(({ after }) => after.backend),
      ],
    );
    return rowCount;
  },
});

const toValue = (row: Row): EncryptedValue => ({
  key: row.key as string,
  backend: row.backend as string,
  blob: row.blob as Buffer,
});
