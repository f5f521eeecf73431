import type { Queryable, Row } from '../db.ts';
import { momentOf } from './audit-events.ts';

/** The chain of a day (UTC, `2026-01-31`) as its row says it is. */
export type AuditDay = {
  day: string;
  /** What the chain starts from: the day before that had events, and how many of them there were then. */
  previous: { day: string; events: number } | undefined;
  /** How many of its events, the oldest, are kept no longer. */
  forgotten: number;
  /** What the first hash that is kept was made from. */
  base: Buffer;
  events: number;
  head: Buffer;
};

/** A link of the chain and what it is about. `text` is what was hashed; absent when the event is not there. */
export type AuditLink = { position: number; eventId: string; hash: Buffer; text: string | undefined };

/** What `authserver admin audit verify` reads. Every statement is short, however long the trail is. */
export const auditChain = (db: Queryable) => ({
  /** The day from which on every event has its place; what is older may have none. */
  async start(): Promise<string> {
    const { rows } = await db.query('audit_chain_start', 'select min(day)::text as day from audit_chain_start');
    return (rows[0]?.day as string | null) ?? '1970-01-01';
  },

  /** The first `limit` days from `from` to `to`, both included. */
  async days(from: string, to: string, limit: number): Promise<AuditDay[]> {
    const { rows } = await db.query(
      'audit_chain_days',
      `select ${dayColumns} from audit_days where day >= $1 and day <= $2 order by day limit $3`,
      [from, to, limit],
    );
    return rows.map(toAuditDay);
  },

  async day(day: string): Promise<AuditDay | undefined> {
    const { rows } = await db.query('audit_chain_day', `select ${dayColumns} from audit_days where day = $1`, [day]);
    return rows.map(toAuditDay)[0];
  },

  /** Links of a day behind `after`, in their order. */
  async links(day: string, after: number, limit: number): Promise<AuditLink[]> {
    // The events come first in this and every other statement, so that all take the locks on the tables in one order.
    const { rows } = await db.query(
      'audit_chain_links',
      `select c.position, c.event_id, c.hash, e.id is not null as there, e.id, ${momentOf} as moment, e.action, e.actor_id,
              e.client_id, e.ip, e.user_agent, e.request_id, e.trace_id, e.details::text as details
         from audit_events e right join audit_chain c on e.id = c.event_id
        where c.day = $1 and c.position > $2 order by c.position limit $3`,
      [day, after, limit],
    );
    return rows.map((row) => ({
      position: Number(row.position),
      eventId: row.event_id as string,
      hash: row.hash as Buffer,
      text: row.there ? textOf(row) : undefined,
    }));
  },

  /** The hash at a place of the chain, if it is there. */
  async hashAt(day: string, position: number): Promise<Buffer | undefined> {
    const { rows } = await db.query(
      'audit_chain_hash_at',
      'select hash from audit_chain where day = $1 and position = $2',
      [day, position],
    );
    return rows[0]?.hash as Buffer | undefined;
  },

  /** The first link that lies behind what the row of its day counts. */
  async beyondHead(day: string): Promise<number | undefined> {
    const { rows } = await db.query(
      'audit_chain_beyond_head',
      `select c.position from audit_chain c left join audit_days d on d.day = c.day
        where c.day = $1 and c.position > coalesce(d.events, 0) order by c.position limit 1`,
      [day],
    );
    return rows[0] && Number(rows[0].position);
  },

  /** Of the next `limit` events of a day behind `after`: the last one, and the first that is in no chain. */
  async beside(
    day: string,
    after: string | undefined,
    limit: number,
  ): Promise<{ last: string | undefined; stray: string | undefined }> {
    const { rows } = await db.query(
      'audit_chain_beside',
      `with page as (select e.id from audit_events e
                      where e.id > coalesce($2::uuid, uuidv7_floor(${midnight('$1')}))
                        and e.id < uuidv7_floor(${midnight('$1::date + 1')})
                      order by e.id limit $3)
       select (select id from page order by id desc limit 1) as last,
              (select id from page where not exists (
                 select 1 from audit_chain c where c.day = $1 and c.event_id = page.id) order by id limit 1) as stray`,
      [day, after ?? null, limit],
    );
    return { last: text(rows[0]?.last), stray: text(rows[0]?.stray) };
  },

  /** The first day from `from` to `to` that has an event by the time in its id. */
  async firstDayWithEvents(from: string, to: string): Promise<string | undefined> {
    if (from > to) return undefined;
    const { rows } = await db.query(
      'audit_chain_first_day_with_events',
      `select id from audit_events
        where id >= uuidv7_floor(${midnight('$1')}) and id < uuidv7_floor(${midnight('$2::date + 1')})
        order by id limit 1`,
      [from, to],
    );
    return rows[0] && toDay(timeOfUuidv7(rows[0].id as string));
  },
});

const midnight = (day: string): string => `(${day})::date::timestamp at time zone 'UTC'`;

const dayColumns = 'day::text, previous_day::text, previous_events, forgotten, base, events, head';

const text = (value: unknown): string | undefined => (value as string | null | undefined) ?? undefined;

/** The day (UTC) of a moment, as the chain names it. */
export const toDay = (moment: Date): string => moment.toISOString().slice(0, 10);

const timeOfUuidv7 = (id: string): Date => new Date(Number.parseInt(id.replace('-', '').slice(0, 12), 16));

const toAuditDay = (row: Row): AuditDay => ({
  day: row.day as string,
  previous:
    row.previous_day === null ? undefined : { day: row.previous_day as string, events: Number(row.previous_events) },
  forgotten: Number(row.forgotten),
  base: row.base as Buffer,
  events: Number(row.events),
  head: row.head as Buffer,
});

/** As `audit_event_text` makes it, made once more here: whoever can change events may have changed that function. */
const textOf = (row: Row): string => {
  const members = [
    row.id,
    row.moment,
    row.action,
    row.actor_id,
    row.client_id,
    row.ip,
    row.user_agent,
    row.request_id,
    row.trace_id,
  ];
  return `[1, ${members.map((member) => JSON.stringify(member)).join(', ')}, ${row.details}]`;
};
