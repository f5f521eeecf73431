import { type Page, type Paged, type Queryable, type Row, toPaged, uuidOrFirst } from '../db.ts';
import { type Conditions, conditions, countUpTo, mostCounted } from '../listing.ts';
import { isUuid } from '../uuid.ts';
import { issuanceEnded } from './issuances.ts';

/** What an operator sees as a token: a family with all that comes of it, or a token that belongs to none. */
export type ListedToken = {
  id: string;
  kind: 'family' | 'token';
  /** The grant it began with. */
  grantType: string;
  clientId: string;
  userId: string | undefined;
  scopes: readonly string[];
  resource: string | undefined;
  createdAt: Date;
  expiresAt: Date;
  /** By its own revocation, or by the end of what it rests on. */
  ended: boolean;
};

export type TokenFilter = {
  clientId?: string | undefined;
  userId?: string | undefined;
  now: Date;
  /** No token that was issued before is alive, however long its life. */
  aliveSince: Date;
};

const familyColumns = `'family' as kind, id, 'authorization_code' as grant_type, client_id, user_id, scopes, resource,
  created_at, expires_at`;
const tokenColumns = `'token' as kind, id, grant_type, client_id, subject_user_id as user_id, scopes, resource,
  issued_at as created_at, expires_at`;

/** Of a family `f`: what a refresh would find. */
const familyEnded = `(
  select f.revoked_at is not null or u.epoch <> f.user_epoch or u.status <> 'active' or c.status <> 'active'
         or g.revoked_at is not null or g.epoch <> f.consent_epoch
         or exists (select 1 from jsonb_to_recordset(f.targets) as t(consent_grant_id uuid, consent_epoch integer)
                      left join consent_grants o on o.id = t.consent_grant_id and o.epoch = t.consent_epoch
                                                and o.revoked_at is null
                     where o.id is null)
    from token_families f
    join users u on u.id = f.user_id
    join clients c on c.client_id = f.client_id
    join consent_grants g on g.id = f.consent_grant_id
   where f.id = page.id)`;

/** Families, and tokens without one, in one list by their ids, which are in the order of time. */
export const tokens = (db: Queryable) => ({
  /** Newest first. Families stay listed when they are over; a token goes when it expires or is revoked itself. */
  async list(filter: TokenFilter, page: Page): Promise<Paged<ListedToken>> {
    if (filter.userId !== undefined && !isUuid(filter.userId)) return { rows: [], total: 0, next: undefined };
    const { rows } = await db.query('token_list', ...listStatement(filter, page), { planned: 'anew' });
    const isEnd = rows.length <= page.limit && (rows.length > 0 || page.offset === 0);
    const total =
      page.after !== undefined ? undefined : isEnd ? page.offset + rows.length : await countTokens(db, filter);
    return toPaged(rows.map(toListedToken), page, { positionOf: ({ id }) => id, total });
  },

  /** Which of the two an id is of, and of which client; also when it is over. */
  async find(
    id: string,
  ): Promise<{ kind: 'family' | 'token'; clientId: string; userId: string | undefined } | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query(
      'token_find',
      `select 'family' as kind, client_id, user_id from token_families where id = $1
       union all
       select 'token', client_id, subject_user_id from issuances where id = $1 limit 1`,
      [id],
    );
    return rows.map((row) => ({
      kind: row.kind as 'family' | 'token',
      clientId: row.client_id as string,
      userId: (row.user_id as string | null) ?? undefined,
    }))[0];
  },
});

/** Each of the two is read from its own index as far as the page may reach into it, and then they are merged. */
const listStatement = (filter: TokenFilter, page: Page): [string, readonly unknown[]] => {
  const matching = conditions();
  const reach = matching.value(page.limit + 1 + page.offset);
  const [limit, offset] = [matching.value(page.limit + 1), matching.value(page.offset)];
  const after = page.after === undefined ? '' : `and id < ${matching.value(uuidOrFirst(page.after))}`;
  const text = `
    select page.*, case page.kind when 'family' then ${familyEnded}
                   else (select ${issuanceEnded} from issuances i where i.id = page.id) end as ended
      from (select * from (
              (select ${familyColumns} from token_families
                where ${familyConditions(filter, matching)} ${after} order by id desc limit ${reach})
              union all
              (select ${tokenColumns} from issuances
                where ${tokenConditions(filter, matching)} ${after} order by id desc limit ${reach})) as listed
             order by id desc limit ${limit} offset ${offset}) as page
     order by id desc`;
  return [text, matching.values];
};

const familyConditions = ({ clientId, userId }: TokenFilter, { value }: Conditions): string =>
  [
    ...(clientId === undefined ? [] : [`client_id = ${value(clientId)}`]),
    ...(userId === undefined ? [] : [`user_id = ${value(userId)}`]),
  ].join(' and ') || 'true';

const tokenConditions = ({ clientId, userId, now, aliveSince }: TokenFilter, { value }: Conditions): string =>
  [
    'family_id is null and revoked_at is null',
    `expires_at > ${value(now)}`,
    `id >= uuidv7_floor(${value(aliveSince)})`,
    ...(clientId === undefined ? [] : [`client_id = ${value(clientId)}`]),
    ...(userId === undefined ? [] : [`subject_user_id = ${value(userId)}`]),
  ].join(' and ');

const countTokens = async (db: Queryable, filter: TokenFilter): Promise<number | undefined> => {
  const families = await countUpTo(db, {
    operation: 'token_list_count_families',
    table: 'token_families',
    filter: (matching) => matching.require(familyConditions(filter, matching)),
  });
  const others = await countUpTo(db, {
    operation: 'token_list_count_others',
    table: 'issuances',
    filter: (matching) => matching.require(tokenConditions(filter, matching)),
  });
  return families === undefined || others === undefined || families + others > mostCounted
    ? undefined
    : families + others;
};

const toListedToken = (row: Row): ListedToken => ({
  id: row.id as string,
  kind: row.kind as 'family' | 'token',
  grantType: row.grant_type as string,
  clientId: row.client_id as string,
  userId: (row.user_id as string | null) ?? undefined,
  scopes: row.scopes as string[],
  resource: (row.resource as string | null) ?? undefined,
  createdAt: row.created_at as Date,
  expiresAt: row.expires_at as Date,
  ended: row.ended as boolean,
});
