import type { Queryable, Row } from '../db.ts';
import { isUuid } from '../uuid.ts';

export type ConsentGrant = {
  id: string;
  userId: string;
  clientId: string;
  /** `undefined`: the authorization server itself, when no resource was named. */
  resourceId: string | undefined;
  scopes: readonly string[];
  createdAt: Date;
  updatedAt: Date;
  revokedAt: Date | undefined;
  /** Moves on when the grant is revoked. */
  epoch: number;
};

const columns = 'id, user_id, client_id, resource_id, scopes, created_at, updated_at, revoked_at, epoch';

/** What a user allowed a client at a resource. One row for the three; taking it back and giving it again keeps the row. */
export const consentGrants = (db: Queryable) => ({
  async find(id: string): Promise<ConsentGrant | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('consent_find', `select ${columns} from consent_grants where id = $1`, [id]);
    return rows.map(toConsentGrant)[0];
  },

  async findActive(
    userId: string,
    clientId: string,
    resourceId: string | undefined,
  ): Promise<ConsentGrant | undefined> {
    const { rows } = await db.query(
      'consent_find_active',
      `select ${columns} from consent_grants
        where user_id = $1 and client_id = $2 and resource_id is not distinct from $3 and revoked_at is null`,
      [userId, clientId, resourceId ?? null],
    );
    return rows.map(toConsentGrant)[0];
  },

  /**
   * Stores a decision: of the scopes that were `asked`, exactly those `allowed` are held from now on. Scopes held from
   * before and not asked about stay, unless the grant had been revoked.
   */
  async allow(grant: {
    id: string;
    userId: string;
    clientId: string;
    resourceId: string | undefined;
    asked: readonly string[];
    allowed: readonly string[];
    now: Date;
  }): Promise<ConsentGrant> {
    const { rows } = await db.query(
      'consent_allow',
      `insert into consent_grants as held (id, user_id, client_id, resource_id, scopes, created_at, updated_at)
       values ($1, $2, $3, $4, $6, $7, $7)
       on conflict (user_id, client_id, resource_id) do update
          set scopes = $6 || case when held.revoked_at is null
                     then array(select s from unnest(held.scopes) as s where s <> all($5) and s <> all($6)) else '{}' end,
              created_at = case when held.revoked_at is null then held.created_at else $7 end,
              updated_at = $7, revoked_at = null
       returning ${columns}`,
      [grant.id, grant.userId, grant.clientId, grant.resourceId ?? null, grant.asked, grant.allowed, grant.now],
    );
    return toConsentGrant(rows[0] as Row);
  },

  /** All grants of a user, revoked ones too, newest first. */
  async listOfUser(userId: string): Promise<ConsentGrant[]> {
    if (!isUuid(userId)) return [];
    const { rows } = await db.query(
      'consent_list_of_user',
      `select ${columns} from consent_grants where user_id = $1 order by created_at desc, id`,
      [userId],
    );
    return rows.map(toConsentGrant);
  },

  /**
   * Locks the consents of a client or a resource before their families are ended and they are deleted: everybody locks
   * in the order user, consent, family.
   */
  async lockOf(of: { clientId: string } | { resourceId: string }): Promise<void> {
    if ('clientId' in of)
      await db.query(
        'consent_lock_of_client',
        'select 1 from consent_grants where client_id = $1 order by id for update',
        [of.clientId],
      );
    else
      await db.query(
        'consent_lock_of_resource',
        'select 1 from consent_grants where resource_id = $1 order by id for update',
        [of.resourceId],
      );
  },

  /** Waits for redemptions under way; none that comes later succeeds. So it comes first in its transaction. */
  async revoke(id: string, now: Date): Promise<ConsentGrant | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query(
      'consent_revoke',
      `update consent_grants set revoked_at = $2, updated_at = $2, epoch = epoch + 1 where id = $1 and revoked_at is null
       returning ${columns}`,
      [id, now],
    );
    return rows.map(toConsentGrant)[0];
  },
});

const toConsentGrant = (row: Row): ConsentGrant => ({
  id: row.id as string,
  userId: row.user_id as string,
  clientId: row.client_id as string,
  resourceId: (row.resource_id as string | null) ?? undefined,
  scopes: row.scopes as string[],
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
  revokedAt: (row.revoked_at as Date | null) ?? undefined,
  epoch: row.epoch as number,
});
