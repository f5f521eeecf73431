import type { Queryable } from '../db.ts';

export type SigningKeyRow = {
  kid: string;
  alg: string;
  state: string;
  publicJwk: unknown;
  /** The private key, encrypted; absent for one that lives elsewhere or signs no more. */
  sealed?: { backend: string; blob: Buffer } | undefined;
  createdAt: Date;
  activatedAt?: Date | undefined;
  retiredAt?: Date | undefined;
  goneAfter?: Date | undefined;
};

type Row = {
  kid: string;
  alg: string;
  state: string;
  public_jwk: unknown;
  enc_private: Buffer | null;
  enc_backend: string | null;
  created_at: Date;
  activated_at: Date | null;
  retired_at: Date | null;
  gone_after: Date | null;
};

/** The ring of signing keys, for `signing.key_store` other than `keyfile`. What its states mean is up to `packages/keys`. */
export const signingKeys = (db: Queryable) => ({
  /** The lock of the ring, until this transaction ends. Taken before the feed's lock, never after. */
  async lock(): Promise<void> {
    await db.query('signing_keys_lock', 'select pg_advisory_xact_lock(7237912384504)');
  },

  async list(): Promise<SigningKeyRow[]> {
    const { rows } = await db.query<Row>(
      'signing_keys_list',
      `select kid, alg, state, public_jwk, enc_private, enc_backend, created_at, activated_at, retired_at, gone_after
         from signing_keys order by created_at, kid`,
    );
    return rows.map(toSigningKey);
  },

  async insert(key: SigningKeyRow): Promise<void> {
    const { kid, alg, state, publicJwk, sealed, createdAt, activatedAt, retiredAt, goneAfter } = key;
    await db.query(
      'signing_key_insert',
      `insert into signing_keys (kid, alg, state, public_jwk, enc_private, enc_backend,
                                 created_at, activated_at, retired_at, gone_after)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        ...[kid, alg, state, JSON.stringify(publicJwk), sealed?.blob ?? null, sealed?.backend ?? null],
        ...[createdAt, activatedAt ?? null, retiredAt ?? null, goneAfter ?? null],
      ],
    );
  },

  /** Writes the state and its times. A key that signs no more loses its private part. */
  async move(key: Pick<SigningKeyRow, 'kid' | 'state' | 'activatedAt' | 'retiredAt' | 'goneAfter'>): Promise<void> {
    await db.query(
      'signing_key_move',
      `update signing_keys
          set state = $2, activated_at = $3, retired_at = $4, gone_after = $5,
              enc_private = case when $2 = 'retiring' then null else enc_private end,
              enc_backend = case when $2 = 'retiring' then null else enc_backend end
        where kid = $1`,
      [key.kid, key.state, key.activatedAt ?? null, key.retiredAt ?? null, key.goneAfter ?? null],
    );
  },

  async delete(kid: string): Promise<void> {
    await db.query('signing_key_delete', 'delete from signing_keys where kid = $1', [kid]);
  },
});

const toSigningKey = (row: Row): SigningKeyRow => ({
  kid: row.kid,
  alg: row.alg,
  state: row.state,
  publicJwk: row.public_jwk,
  sealed:
    row.enc_private === null || row.enc_backend === null
      ? undefined
      : { backend: row.enc_backend, blob: row.enc_private },
  createdAt: row.created_at,
  activatedAt: row.activated_at ?? undefined,
  retiredAt: row.retired_at ?? undefined,
  goneAfter: row.gone_after ?? undefined,
});
