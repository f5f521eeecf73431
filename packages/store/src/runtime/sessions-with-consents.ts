import { bytea, columnsOf, integer, text, timestamptz, uuid } from '../columns.ts';
import type { Queryable } from '../db.ts';
import { type BrowserSession, liveSession, toSession } from './browser-sessions.ts';
import { type ConsentGrant, consentColumns, toConsentGrant } from './consent-grants.ts';

/** Who is signed in, and what they allow a client: all that an authorization request is answered by without a page. */
export type SessionWithConsents = BrowserSession & { consents: readonly ConsentGrant[] };

/** At which resources something may be held; at least one, where `undefined` is the authorization server itself. */
export type SessionQuestion = {
  idHash: Buffer;
  now: Date;
  clientId: string;
  resourceIds: readonly (string | undefined)[];
};

/** Each session that is live, with the consents its user holds at the places asked about, in one read. */
export const findSessionsWithConsents = async (
  db: Queryable,
  questions: readonly SessionQuestion[],
): Promise<(SessionWithConsents | undefined)[]> => {
  const places = questions.flatMap((question, at) =>
    question.resourceIds.map((resourceId) => ({ at, question, resourceId })),
  );
  // `user_id` is in both, and the last one counts: the session has it where there is no consent.
  const { rows } = await db.query(
    'session_find_with_consents',
    `select a.at, ${consentColumns.replaceAll(/\w+/g, 'held.$&')}, found.*
       from unnest($1::integer[], $2::bytea[], $3::timestamptz[], $4::text[], $5::uuid[])
            as a(at, hash, now, client_id, resource_id)
      cross join lateral (${liveSession}) as found
       left join lateral (
        select ${consentColumns} from consent_grants g
         where g.user_id = found.user_id and g.client_id = a.client_id and g.revoked_at is null
           and (g.resource_id = a.resource_id or (g.resource_id is null and a.resource_id is null)) limit 1) as held on true`,
    columnsOf(
      places,
      integer(({ at }) => at),
      bytea(({ question }) => question.idHash),
      timestamptz(({ question }) => question.now),
      text(({ question }) => question.clientId),
      uuid(({ resourceId }) => resourceId),
    ),
  );
  const found = new Array<(BrowserSession & { consents: ConsentGrant[] }) | undefined>(questions.length);
  for (const row of rows) {
    const at = row.at as number;
    const session = found[at] ?? { ...toSession(row), consents: [] };
    found[at] = session;
    if (row.id !== null) session.consents.push(toConsentGrant(row));
  }
  return found;
};
