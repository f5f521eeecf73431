import type { AuditAction } from '@authserver/telemetry';
import type { Queryable, Row } from '../db.ts';
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

/** The audit trail. Always written on the transaction of what it tells about. */
export const auditEvents = (db: Queryable) => ({
  insert(event: AuditEvent): Promise<void> {
    return this.insertMany([event]);
  },

  async insertMany(events: readonly AuditEvent[]): Promise<void> {
    await db.query(
      'audit_insert_many',
      `insert into audit_events (id, at, action, actor_id, client_id, ip, user_agent, request_id, details)
       select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
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
      ],
    );
  },

  /** Newest first, from `since` on and before `until`; all filters that are given must match. */
  async list(
    filter: {
      action?: string | undefined;
      actorId?: string | undefined;
      clientId?: string | undefined;
      since: Date;
      until?: Date | undefined;
    },
    page: { limit: number; offset: number },
  ): Promise<StoredAuditEvent[]> {
    const { rows } = await db.query(
      'audit_list',
      `select id, action, actor_id, client_id, ip, user_agent, request_id, trace_id, details, at from audit_events
        where ($1::text is null or action = $1) and ($2::text is null or actor_id = $2)
          and ($3::text is null or client_id = $3) and id >= uuidv7_floor($4)
          and ($5::timestamptz is null or id < uuidv7_floor($5))
        order by id desc limit $6 offset $7`,
      [
        filter.action ?? null,
        filter.actorId ?? null,
        filter.clientId ?? null,
        filter.since,
        filter.until ?? null,
        page.limit,
        page.offset,
      ],
    );
    return rows.map(toAuditEvent);
  },
});

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
