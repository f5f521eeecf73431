import { columnsOf, integer, uuid } from '../columns.ts';
import type { ClientStatus, RegistrationSource } from '../control/clients.ts';
import { type Page, type Paged, type Queryable, type Row, uuidOrFirst } from '../db.ts';
import { readPage } from '../listing.ts';
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
  /** Hosts of the redirect URIs the user saw when they allowed it. */
  redirectHosts: readonly string[];
  /** Moves on when the grant is revoked. */
  epoch: number;
  /** A budget that rests on it is used up: the user is to be asked again, whatever is held (decision 0033). */
  asksAgain: boolean;
};

export const consentColumns =
  'id, user_id, client_id, resource_id, scopes, created_at, updated_at, revoked_at, redirect_hosts, epoch, asks_again';

/** What is `held` was given to the client as it is now: not taken back, and not from before it became another. */
const stillTheirs = (identitySince: string): string =>
  `(held.revoked_at is null and (${identitySince}::timestamptz is null or held.updated_at >= ${identitySince}))`;

/** A consent with the names its user knows it by. */
export type HeldConsent = ConsentGrant & {
  client: { name: string; source: RegistrationSource; status: ClientStatus };
  resource: { uri: string | undefined; slug: string; displayName: string } | undefined;
  /** When a family of this consent last got a token; a family that has ended is not looked at. */
  lastUsedAt: Date | undefined;
};

/** What a user allowed a client at a resource. One row for the three; taking it back and giving it again keeps the row. */
export const consentGrants = (db: Queryable) => ({
  async find(id: string): Promise<ConsentGrant | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('consent_find', `select ${consentColumns} from consent_grants where id = $1`, [id]);
    return rows.map(toConsentGrant)[0];
  },

  /** Whether the user has allowed the client anything that still stands, for an answer to this host. */
  async hasActive(userId: string, clientId: string, redirectHost: string): Promise<boolean> {
    const { rowCount } = await db.query(
      'consent_has_active',
      `select 1 from consent_grants
        where user_id = $1 and client_id = $2 and revoked_at is null and $3 = any(redirect_hosts) limit 1`,
      [userId, clientId, redirectHost],
    );
    return rowCount > 0;
  },

  /**
   * Stores a decision: of the scopes that were `asked`, exactly those `allowed` are held from now on. Scopes held from
   * before and not asked about stay, unless the grant had been revoked or the client has become another since. The client
   * is marked as used, and by whom first. Budgets that rest on it begin anew.
   *
   * The answer is remembered for the hosts the person has seen beside all that is held: else one small permission at
   * another address would bring it everything that was allowed for the first, or the other way round.
   */
  async allow(grant: {
    id: string;
    userId: string;
    clientId: string;
    resourceId: string | undefined;
    asked: readonly string[];
    allowed: readonly string[];
    /** Where the answer goes, when it goes to a redirect URI. */
    redirectHost?: string | undefined;
    /** When the client became what the person was asked about; what was allowed before, another was given. */
    identitySince?: Date | undefined;
    now: Date;
  }): Promise<ConsentGrant> {
    const { rows } = await db.query(
      'consent_allow',
      `with used as (
         update clients set first_user_id = coalesce(first_user_id, $2), last_used_at = $7
          where client_id = $3 and (first_user_id is null or last_used_at is null
                                    or last_used_at < $7::timestamptz - interval '1 hour'))
       insert into consent_grants as held (id, user_id, client_id, resource_id, scopes, redirect_hosts, created_at, updated_at,
                                           allowed_at)
       values ($1, $2, $3, $4, $6, array_remove(array[$8::text], null), $7, $7, $7)
       on conflict (user_id, client_id, resource_id) do update
          set scopes = $6 || case when ${stillTheirs('$9')}
                     then array(select s from unnest(held.scopes) as s where s <> all($5) and s <> all($6)) else '{}' end,
              redirect_hosts = array_remove(
                case when ${stillTheirs('$9')} and $6 <@ held.scopes then array_remove(held.redirect_hosts, $8) else '{}' end
                || case when not ${stillTheirs('$9')} or $8 = any(held.redirect_hosts) or held.scopes <@ ($5 || $6)
                     then array[$8] else '{}' end, null),
              created_at = case when held.revoked_at is null then held.created_at else $7 end,
              updated_at = $7, revoked_at = null, allowed_times = held.allowed_times + 1, allowed_at = $7, asks_again = false
       returning ${consentColumns}`,
      [
        grant.id,
        grant.userId,
        grant.clientId,
        grant.resourceId ?? null,
        grant.asked,
        grant.allowed,
        grant.now,
        grant.redirectHost ?? null,
        grant.identitySince ?? null,
      ],
    );
    return toConsentGrant(rows[0] as Row);
  },

  /**
   * Where nothing of what was asked for was allowed: it is no longer held, if it was, and nothing is that another client
   * was given. The grant itself stays, and so does what is used up of it.
   */
  async narrow(refusal: {
    userId: string;
    clientId: string;
    resourceId: string | undefined;
    asked: readonly string[];
    identitySince?: Date | undefined;
    now: Date;
  }): Promise<void> {
    await db.query(
      'consent_narrow',
      `update consent_grants held
          set scopes = case when ${stillTheirs('$6')}
                         then array(select s from unnest(scopes) as s where s <> all($4::text[])) else '{}' end,
              updated_at = $5, allowed_at = coalesce(allowed_at, updated_at)
        where user_id = $1 and client_id = $2 and resource_id is not distinct from $3 and revoked_at is null`,
      [
        refusal.userId,
        refusal.clientId,
        refusal.resourceId ?? null,
        refusal.asked,
        refusal.now,
        refusal.identitySince ?? null,
      ],
    );
  },

  /** A budget under these is used up: the next authorization request asks the user, unless they were asked since. */
  async askAgain(spent: readonly { id: string; round: number }[]): Promise<void> {
    await db.query(
      'consent_ask_again',
      `update consent_grants set asks_again = true where ctid = any(array(
         select g.place from unnest($1::uuid[], $2::integer[]) as t(id, round) cross join lateral (
           select ctid as place from consent_grants
            where id = t.id and allowed_times = t.round and not asks_again limit 1 for no key update) as g))`,
      columnsOf(
        spent.toSorted((left, right) => (left.id < right.id ? -1 : 1)),
        uuid(({ id }) => id),
        integer(({ round }) => round),
      ),
    );
  },

  /** At which of these resources something is held; `undefined` is the authorization server itself. */
  async listActive(
    userId: string,
    clientId: string,
    resourceIds: readonly (string | undefined)[],
  ): Promise<ConsentGrant[]> {
    const { rows } = await db.query(
      'consent_list_active',
      `select ${consentColumns} from consent_grants
        where user_id = $1 and client_id = $2 and revoked_at is null
          and (resource_id = any($3::uuid[]) or (resource_id is null and $4::boolean))`,
      [userId, clientId, resourceIds.filter((id) => id !== undefined), resourceIds.includes(undefined)],
    );
    return rows.map(toConsentGrant);
  },

  /**
   * Locks what is held at several resources before all of it is written: in the order of the ids, as everybody does. The
   * user is locked already, so nothing is added meanwhile.
   */
  async lockHeld(userId: string, clientId: string, resourceIds: readonly (string | undefined)[]): Promise<void> {
    await db.query(
      'consent_lock_held',
      `select 1 from consent_grants where user_id = $1 and client_id = $2 and resource_id = any($3::uuid[])
        order by id for update`,
      [userId, clientId, resourceIds.filter((id) => id !== undefined)],
    );
  },

  /** All grants of a user, revoked ones too, newest first. */
  async listOfUser(userId: string): Promise<ConsentGrant[]> {
    if (!isUuid(userId)) return [];
    const { rows } = await db.query(
      'consent_list_of_user',
      `select ${consentColumns} from consent_grants where user_id = $1 order by created_at desc, id`,
      [userId],
    );
    return rows.map(toConsentGrant);
  },

  /** The same by pages, in the order of the first decision. */
  pageOfUser: (userId: string, page: Page): Promise<Paged<ConsentGrant>> =>
    readPage(
      db,
      {
        operation: 'consent_page_of_user',
        table: 'consent_grants',
        columns: consentColumns,
        filter: ({ require, value }) => require(`user_id = ${value(uuidOrFirst(userId))}`),
        order: 'id desc',
        behind: (position, { value }) => `id < ${value(uuidOrFirst(position))}`,
        positionOf: ({ id }) => id as string,
        toItem: toConsentGrant,
      },
      page,
    ),

  /** What a user allows at present, latest decision first. */
  async listHeldOfUser(userId: string, now: Date, limit: number): Promise<HeldConsent[]> {
    const { rows } = await db.query(
      'consent_list_held_of_user',
      `select ${consentColumns.replaceAll(/\w+/g, 'g.$&')}, c.client_name, c.registration_source, c.status as client_status,
              r.slug, r.uri, r.display_name, used.at as last_used_at
         from (select * from consent_grants where user_id = $1 and revoked_at is null
                order by updated_at desc, id limit $3) g
         join clients c on c.client_id = g.client_id
         left join resources r on r.id = g.resource_id
         left join lateral (
           select max(greatest(f.created_at, t.issued_at)) as at
             from token_families f
             left join lateral (select max(issued_at) as issued_at from refresh_tokens where family_id = f.id) t on true
            where (f.consent_grant_id = g.id
                   or f.targets @> jsonb_build_array(jsonb_build_object('consent_grant_id', g.id)))
              and f.revoked_at is null and f.expires_at > $2) used on true
        order by g.updated_at desc, g.id`,
      [userId, now, limit],
    );
    return rows.map(toHeldConsent);
  },

  /**
   * Ends all that a user allows, like `revoke`; how many there were. Locked in the order of their ids, as everybody does
   * who takes several.
   */
  async revokeAllOfUser(userId: string, now: Date): Promise<number> {
    const { rowCount } = await db.query(
      'consent_revoke_all_of_user',
      `with held as (
         select id from consent_grants where user_id = $1 and revoked_at is null order by id for update)
       update consent_grants g set revoked_at = $2, updated_at = $2, epoch = g.epoch + 1 from held where g.id = held.id`,
      [userId, now],
    );
    return rowCount;
  },

  /**
   * Ends all that users allow a client, like `revoke`; how many there were. It settles the race with redemptions that
   * still saw the client as it was (decision 0011).
   */
  async revokeAllOfClient(clientId: string, now: Date): Promise<number> {
    const { rowCount } = await db.query(
      'consent_revoke_all_of_client',
      `with held as (
         select id from consent_grants where client_id = $1 and revoked_at is null order by id for update)
       update consent_grants g set revoked_at = $2, updated_at = $2, epoch = g.epoch + 1 from held where g.id = held.id`,
      [clientId, now],
    );
    return rowCount;
  },

  /** Ends all that users allow at a resource, like `revoke`; how many there were. */
  async revokeAllOfResource(resourceId: string, now: Date): Promise<number> {
    const { rowCount } = await db.query(
      'consent_revoke_all_of_resource',
      `with held as (
         select id from consent_grants where resource_id = $1 and revoked_at is null order by id for update)
       update consent_grants g set revoked_at = $2, updated_at = $2, epoch = g.epoch + 1 from held where g.id = held.id`,
      [resourceId, now],
    );
    return rowCount;
  },

  /** Whether anybody ever allowed anything at a resource. */
  async existAt(resourceId: string): Promise<boolean> {
    const { rowCount } = await db.query(
      'consent_exist_at',
      'select 1 from consent_grants where resource_id = $1 limit 1',
      [resourceId],
    );
    return rowCount > 0;
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
       returning ${consentColumns}`,
      [id, now],
    );
    return rows.map(toConsentGrant)[0];
  },
});

export const toConsentGrant = (row: Row): ConsentGrant => ({
  id: row.id as string,
  userId: row.user_id as string,
  clientId: row.client_id as string,
  resourceId: (row.resource_id as string | null) ?? undefined,
  scopes: row.scopes as string[],
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
  revokedAt: (row.revoked_at as Date | null) ?? undefined,
  redirectHosts: row.redirect_hosts as string[],
  epoch: row.epoch as number,
  asksAgain: row.asks_again as boolean,
});

const toHeldConsent = (row: Row): HeldConsent => ({
  ...toConsentGrant(row),
  client: {
    name: row.client_name as string,
    source: row.registration_source as RegistrationSource,
    status: row.client_status as ClientStatus,
  },
  resource:
    row.slug === null
      ? undefined
      : {
          uri: (row.uri as string | null) ?? undefined,
          slug: row.slug as string,
          displayName: row.display_name as string,
        },
  lastUsedAt: (row.last_used_at as Date | null) ?? undefined,
});
