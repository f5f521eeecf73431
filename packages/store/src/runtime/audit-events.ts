import { type AuditAction, currentSpan } from '@authserver/telemetry';
import { type Page, type Paged, type Queryable, type Row, toPaged, uuidOrFirst } from '../db.ts';
import { uuidv7 } from '../uuid.ts';

/** Who did something, from where. Never a secret, never what somebody typed into a password field. */
export type AuditContext = {
  actorId?: string | undefined;
  clientId?: string | undefined;
  ip?: string | undefined;
  userAgent?: string | undefined;
  requestId?: string | undefined;
};

export type AuditEvent = AuditContext & { action: AuditAction; details?: Record<string, unknown>; at: Date };

export type StoredAuditEvent = {
  id: string;
  action: string;
  actorId: string | undefined;
  clientId: string | undefined;
  ip: string | undefined;
  userAgent: string | undefined;
  requestId: string | undefined;
  traceId: string | undefined;
  details: Record<string, unknown>;
  at: Date;
};

/** All that are given must match. */
export type AuditFilter = {
  /** Any of these. */
  actions?: readonly string[] | undefined;
  actorId?: string | undefined;
  clientId?: string | undefined;
  ip?: string | undefined;
  requestId?: string | undefined;
  since: Date;
  until?: Date | undefined;
};

/** Where an event stands in the chain of its day; absent for one that is older than the chain. */
export type ChainPlace = { day: string; position: number; hash: Buffer };
/** `moment` is the time as the hash has it, with microseconds. */
export type ChainedAuditEvent = StoredAuditEvent & { moment: string; place: ChainPlace | undefined };

const columns = 'id, action, actor_id, client_id, ip, user_agent, request_id, trace_id, details, at';

/** The time of an event `e` as the text of its hash has it. */
export const momentOf = `to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** The audit trail. Always written on the transaction of what it tells about. */
export const auditEvents = (db: Queryable) => ({
  insert(event: AuditEvent): Promise<void> {
    return this.insertMany([event]);
  },

  /** The commit puts them at the end of their day, in this order. */
  async insertMany(events: readonly AuditEvent[]): Promise<void> {
    const traceId = currentSpan()?.traceId ?? null;
    await db.query(
      'audit_insert_many',
      `insert into audit_events (id, at, action, actor_id, client_id, ip, user_agent, request_id, details, trace_id)
       select *, $10::text from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                            $8::text[], $9::jsonb[])`,
      [
        events.map(({ at }) => uuidv7(at)),
        events.map(({ at }) => at),
        events.map(({ action }) => action),
        events.map(({ actorId }) => actorId ?? null),
        events.map(({ clientId }) => clientId ?? null),
        events.map(({ ip }) => ip ?? null),
        events.map(({ userAgent }) => userAgent?.slice(0, 256) ?? null),
        events.map(({ requestId }) => requestId ?? null),
        events.map(({ details }) => JSON.stringify(details ?? {})),
        traceId,
      ],
    );
    db.audited?.(events);
  },

  /** Newest first, from `since` on and before `until`. */
  async list(filter: AuditFilter, page: Page): Promise<Paged<StoredAuditEvent>> {
    const { operation, text, values } = listStatement(filter, page);
    const { rows } = await db.query(operation, text, values, { planned: 'anew' });
    return toPaged(rows.map(toAuditEvent), page, { positionOf: ({ id }) => id });
  },

  /** The oldest `limit` events from `since` on and before `until`, behind `after`, with their places in the chain. */
  async listChained(
    { since, until, after }: { since: Date; until: Date; after: string | undefined },
    limit: number,
  ): Promise<ChainedAuditEvent[]> {
    const { rows } = await db.query(
      'audit_list_chained',
      `select e.*, ${momentOf} as moment, c.day::text, c.position, c.hash
         from (select ${columns} from audit_events
                where id > coalesce($3::uuid, uuidv7_floor($1)) and id < uuidv7_floor($2)
                order by id limit $4) as e
         left join audit_chain c on c.day = (e.at at time zone 'UTC')::date and c.event_id = e.id
        order by e.id`,
      [since, until, after ?? null, limit],
    );
    return rows.map((row) => ({
      ...toAuditEvent(row),
      moment: row.moment as string,
      place:
        row.day === null
          ? undefined
          : { day: row.day as string, position: Number(row.position), hash: row.hash as Buffer },
    }));
  },
});

/**
 * Every filter has an index that ends in the id. With one filter the rows are asked for in the order of its index, so that
 * no other will do: by the order of the ids alone PostgreSQL may choose to look through everybody's events for those of
 * one, however long ago they were. Of several actions each is read by itself and then they are merged. With several
 * filters it chooses, knowing the values.
 */
const listStatement = (filter: AuditFilter, page: Page) => {
  const values: unknown[] = [];
  const value = (given: unknown) => `$${values.push(given)}`;
  const start = `uuidv7_floor(${value(filter.since)})`;
  const ends = [
    ...(filter.until === undefined ? [] : [`uuidv7_floor(${value(filter.until)})`]),
    ...(page.after === undefined ? [] : [`${value(uuidOrFirst(page.after))}::uuid`]),
  ];
  const given = Object.entries({
    action: filter.actions,
    actor_id: filter.actorId,
    client_id: filter.clientId,
    ip: filter.ip,
    request_id: filter.requestId,
  }).flatMap(([column, wanted]) =>
    wanted === undefined ? [] : [{ column, wanted: `${value([wanted].flat())}::text[]` }],
  );
  const range = [`id >= ${start}`, ...ends.map((end) => `id < ${end}`)];
  const shown = `limit ${value(page.limit + 1)} offset ${value(page.offset)}`;

  const operation = ['audit_list', ...given.map(({ column }) => column)].join('_');
  const [first, ...more] = given;
  if (first === undefined || more.length > 0) {
    const conditions = [...range, ...given.map(({ column, wanted }) => `${column} = any(${wanted})`)];
    const text = `select ${columns} from audit_events where ${conditions.join(' and ')} order by id desc ${shown}`;
    return { operation, text, values };
  }
  const { column, wanted } = first;
  const bounds = [
    ...range,
    `${column} is not null`, // which is what most of these indexes are about
    `(${column}, id) >= (any_of.wanted, ${start})`,
    ...(ends.length > 0 ? ends : [`'ffffffff-ffff-ffff-ffff-ffffffffffff'`]).map(
      (end) => `(${column}, id) < (any_of.wanted, ${end})`,
    ),
  ];
  const text = `select found.* from unnest(${wanted}) as any_of (wanted)
     cross join lateral (select ${columns} from audit_events where ${bounds.join(' and ')}
                          order by ${column} desc, id desc limit ${value(page.limit + 1 + page.offset)}) as found
     order by id desc ${shown}`;
  return { operation, text, values };
};

const toAuditEvent = (row: Row): StoredAuditEvent => ({
  id: row.id as string,
  action: row.action as string,
  actorId: (row.actor_id as string | null) ?? undefined,
  clientId: (row.client_id as string | null) ?? undefined,
  ip: (row.ip as string | null) ?? undefined,
  userAgent: (row.user_agent as string | null) ?? undefined,
  requestId: (row.request_id as string | null) ?? undefined,
  traceId: (row.trace_id as string | null) ?? undefined,
  details: row.details as Record<string, unknown>,
  at: row.at as Date,
});
