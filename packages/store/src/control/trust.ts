import { columnsOf, text, uuid } from '../columns.ts';
import type { Queryable, Row } from '../db.ts';
import { inOrder } from '../gather.ts';
import type { TrustedIdp } from './idps.ts';
import type { XaaPolicy } from './xaa-policies.ts';

/** An identity provider with all that decides about its assertions, as it was at one moment. */
export type Trust = Pick<TrustedIdp, 'id' | 'issuer' | 'jwksUri' | 'audience' | 'enabled'> & {
  /** Those that are enabled, in the order in which they are asked. */
  policies: readonly DecidingPolicy[];
  /** What all of it is called together; another one after any change. */
  rules: string;
};

export type DecidingPolicy = Pick<XaaPolicy, 'id' | 'clientIds' | 'scopes' | 'resources'>;

/** Who a subject of an identity provider is here. */
export type ResolvedSubject = {
  /** `undefined`: nobody has said. `null`: known, and without an account here. */
  userId: string | null | undefined;
  userActive: boolean;
  /** The same for the statement that commits, which compares it. */
  mappedTo: string;
};

/** The version of an identity provider and of each of its policies, in few characters. */
export const rulesOf = (idp: string): string =>
  `md5(${idp}.version || ' ' || coalesce((select string_agg(p.id || ' ' || p.version, ' ' order by p.id)
                                            from xaa_policies p where p.idp_id = ${idp}.id), ''))`;

/** Of a subject without a mapping it is an empty text. */
export const mappedTo = (mapping: string): string => `coalesce(${mapping}.local_user_id::text, 'nobody')`;

/** What the data plane asks about the identity providers that operators trust. */
export const trust = (db: Queryable) => ({
  /** All of it: operators trust a handful of identity providers, each with some policies. */
  async all(): Promise<Trust[]> {
    const { rows } = await db.query(
      'trust_all',
      `select i.id, i.issuer, i.jwks_uri, i.audience, i.enabled, ${rulesOf('i')} as rules,
              (select coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'client_ids', p.client_ids, 'scopes', p.scopes,
                                                            'resources', p.resources) order by p.priority, p.id), '[]')
                 from xaa_policies p where p.idp_id = i.id and p.enabled) as policies
         from trusted_idps i order by i.id`,
    );
    return rows.map(toTrust);
  },
});

/** Each in the order asked, in one read. What is said of a person may not be late, so nobody keeps it. */
export const resolveSubjects = async (
  db: Queryable,
  asked: readonly { idpId: string; subject: string }[],
): Promise<ResolvedSubject[]> => {
  const { rows } = await db.query(
    'subject_resolve_many',
    `select a.n::int, m.local_user_id, ${mappedTo('m')} as mapped_to,
            (select u.status = 'active' from users u where u.id = m.local_user_id) is true as user_active
       from unnest($1::uuid[], $2::text[]) with ordinality as a(idp_id, subject, n)
      cross join lateral (
        select local_user_id from subject_mappings where idp_id = a.idp_id and idp_subject = a.subject limit 1) as m`,
    columnsOf(
      asked,
      uuid(({ idpId }) => idpId),
      text(({ subject }) => subject),
    ),
  );
  return inOrder(rows, asked).map((row) => ({
    userId: row && (row.local_user_id as string | null),
    userActive: row?.user_active === true,
    mappedTo: (row?.mapped_to as string | undefined) ?? '',
  }));
};

const toTrust = (row: Row): Trust => ({
  id: row.id as string,
  issuer: row.issuer as string,
  jwksUri: (row.jwks_uri as string | null) ?? undefined,
  audience: (row.audience as string | null) ?? undefined,
  enabled: row.enabled as boolean,
  policies: (row.policies as Row[]).map((policy) => ({
    id: policy.id as string,
    clientIds: (policy.client_ids as string[] | null) ?? undefined,
    scopes: (policy.scopes as string[] | null) ?? undefined,
    resources: (policy.resources as string[] | null) ?? undefined,
  })),
  rules: row.rules as string,
});
