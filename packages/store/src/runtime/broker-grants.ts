import type { Queryable, Row } from '../db.ts';
import { isUuid } from '../uuid.ts';

/** That a user connected an account at a provider. The credential that came of it is not among what is read here. */
export type BrokerGrant = {
  id: string;
  userId: string;
  brokerProviderId: string;
  /** In the words of the provider. */
  scopesGranted: readonly string[];
  /** Moves on with every connection and every refresh of the credential. */
  version: number;
  /** What encrypted the credential. */
  encBackend: string;
  createdAt: Date;
  updatedAt: Date;
  revokedAt: Date | undefined;
};

const columns =
  'id, user_id, broker_provider_id, scopes_granted, version, enc_backend, created_at, updated_at, revoked_at';

/** One row a user and provider; connecting again keeps the row. */
export const brokerGrants = (db: Queryable) => ({
  async find(id: string): Promise<BrokerGrant | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('broker_grant_find', `select ${columns} from broker_grants where id = $1`, [id]);
    return rows.map(toGrant)[0];
  },

  /** Revoked ones too, newest first. */
  async listOfUser(userId: string): Promise<BrokerGrant[]> {
    if (!isUuid(userId)) return [];
    const { rows } = await db.query(
      'broker_grant_list_of_user',
      `select ${columns} from broker_grants where user_id = $1 order by created_at desc, id desc`,
      [userId],
    );
    return rows.map(toGrant);
  },

  /** Those in force at a provider, oldest first, and how many there are. */
  async listLiveOfProvider(providerId: string, limit: number): Promise<{ rows: BrokerGrant[]; total: number }> {
    const { rows } = await db.query(
      'broker_grant_list_live_of_provider',
      `select ${columns}, count(*) over () as total from broker_grants
        where broker_provider_id = $1 and revoked_at is null order by id limit $2`,
      [providerId, limit],
    );
    return { rows: rows.map(toGrant), total: Number(rows[0]?.total ?? 0) };
  },

  /** The grant this call ended, or `undefined` when there was nothing left to end. The credential is gone with it. */
  async revoke(id: string, now: Date): Promise<BrokerGrant | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query(
      'broker_grant_revoke',
      `update broker_grants set revoked_at = $2, updated_at = $2, enc_credential = null
        where id = $1 and revoked_at is null returning ${columns}`,
      [id, now],
    );
    return rows.map(toGrant)[0];
  },

  async countLive(): Promise<number> {
    const { rows } = await db.query(
      'broker_grant_count_live',
      'select count(*) as n from broker_grants where revoked_at is null',
    );
    return Number(rows[0]?.n);
  },

  /** What is left of grants that ended; how many went. */
  async deleteRevokedOfProvider(providerId: string): Promise<number> {
    const { rowCount } = await db.query(
      'broker_grant_delete_revoked_of_provider',
      'delete from broker_grants where broker_provider_id = $1 and revoked_at is not null',
      [providerId],
    );
    return rowCount;
  },
});

const toGrant = (row: Row): BrokerGrant => ({
  id: row.id as string,
  userId: row.user_id as string,
  brokerProviderId: row.broker_provider_id as string,
  scopesGranted: row.scopes_granted as string[],
  version: row.version as number,
  encBackend: row.enc_backend as string,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
  revokedAt: (row.revoked_at as Date | null) ?? undefined,
});
