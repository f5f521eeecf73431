import type { Queryable, Row } from '../db.ts';

/** One step of a client on its way in, and how it ended. */
export type ConnectionEvent = {
  id: string;
  at: Date;
  /** Printed on error pages, for people to read out. */
  reference: string;
  requestId: string;
  step: string;
  outcome: 'ok' | 'refused' | 'failed';
  status: number;
  /** As presented: no such client may exist. */
  clientId: string | undefined;
  ip: string | undefined;
  userAgent: string | undefined;
  error: string | undefined;
  reason: string | undefined;
  details: Record<string, unknown>;
};

const columns = `id, at, reference, request_id, step, outcome, status, client_id, ip, user_agent, error, reason, details`;

/** How long before a client's first appearance its discovery and registration may lie, and how far an attempt reaches. */
const nearby = `interval '10 minutes'`;

/** The one step without a client that says something about a client: it comes before the client has an id. */
const discovery = `e.step = 'discovery' and e.client_id is null`;

/** The best-ranked rows, of equal ones the latest, so that a client's own steps are never pushed out; oldest first. */
const latest = (rows: string): string =>
  `select * from (select * from ${rows} order by rank, id desc limit $2) as shown order by id`;

export const connectionEvents = (db: Queryable) => ({
  async insertMany(events: readonly ConnectionEvent[]): Promise<void> {
    await db.query(
      'connection_event_insert',
      `insert into connection_events (${columns})
       select id, at, reference, request_id, step, outcome, status, client_id, ip, user_agent, error, reason, details
         from jsonb_to_recordset($1) as e(id uuid, at timestamptz, reference text, request_id text, step text, outcome text,
           status smallint, client_id text, ip text, user_agent text, error text, reason text, details jsonb)`,
      [JSON.stringify(events.map(toRow))],
    );
  },

  /**
   * The attempt around one request: its client's steps near it, and what its address discovered. Of a request that named
   * no client that is the step itself and the discovery: whatever else came from the address may be somebody else's.
   */
  async aroundReference(reference: string, limit: number): Promise<ConnectionEvent[]> {
    const { rows } = await db.query(
      'connection_event_around',
      `with anchor as (select id, client_id, ip, at from connection_events where reference = $1 order by id desc limit 1),
            attempt as (
         select e.*, case when e.id = a.id then 0 when e.client_id = a.client_id then 1 else 2 end as rank
           from connection_events e, anchor a
          where e.at between a.at - ${nearby} and a.at + ${nearby}
            and (e.id = a.id or e.client_id = a.client_id or (e.ip = a.ip and ${discovery})))
       ${latest('attempt')}`,
      [reference, limit],
    );
    return rows.map(toEvent);
  },

  /** The latest steps of a client, and as far as there is room the discovery before them. Oldest first. */
  async ofClient(clientId: string, limit: number): Promise<ConnectionEvent[]> {
    const { rows } = await db.query(
      'connection_event_of_client',
      `with own as (select * from connection_events where client_id = $1 order by id desc limit $2),
            before as (select distinct e.* from connection_events e join own o on e.ip = o.ip
                        where ${discovery} and e.at between o.at - ${nearby} and o.at),
            attempt as (select *, 1 as rank from own union all select *, 2 from before)
       ${latest('attempt')}`,
      [clientId, limit],
    );
    return rows.map(toEvent);
  },
});

const toRow = (event: ConnectionEvent) => ({
  id: event.id,
  at: event.at.toISOString(),
  reference: event.reference,
  request_id: event.requestId,
  step: event.step,
  outcome: event.outcome,
  status: event.status,
  client_id: event.clientId ?? null,
  ip: event.ip ?? null,
  user_agent: event.userAgent ?? null,
  error: event.error ?? null,
  reason: event.reason ?? null,
  details: event.details,
});

const toEvent = (row: Row): ConnectionEvent => ({
  id: row.id as string,
  at: row.at as Date,
  reference: row.reference as string,
  requestId: row.request_id as string,
  step: row.step as string,
  outcome: row.outcome as ConnectionEvent['outcome'],
  status: row.status as number,
  clientId: (row.client_id as string | null) ?? undefined,
  ip: (row.ip as string | null) ?? undefined,
  userAgent: (row.user_agent as string | null) ?? undefined,
  error: (row.error as string | null) ?? undefined,
  reason: (row.reason as string | null) ?? undefined,
  details: row.details as Record<string, unknown>,
});
