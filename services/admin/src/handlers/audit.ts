import type { AuditEventView } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import type { StoredAuditEvent } from '@authserver/store';
import type { z } from 'zod';
import { detailLine } from '../detail-line.ts';
import type { HandlersOf } from './handler.ts';
import { invalid } from './refusals.ts';

export const auditHandlers = ({ config }: { config: Config }): HandlersOf<'audit'> => ({
  async list({ query, store, now }) {
    const { audit_default_lookback, audit_max_lookback } = config.admin;
    const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
    const since = query.since === undefined ? ago(audit_default_lookback) : new Date(query.since);
    const until = query.until === undefined ? undefined : new Date(query.until);
    if (since < ago(audit_max_lookback))
      throw invalid([`since: at most ${audit_max_lookback / 3600} hours can be read`]);
    if (until && until <= since) throw invalid(['until: must be after since']);
    const { action, actor_id: actorId, client_id: clientId, limit, offset } = query;
    const rows = await store.auditEvents.list({ action, actorId, clientId, since, until }, { limit, offset });
    return rows.map(toView);
  },
});

const toView = (event: StoredAuditEvent): z.output<typeof AuditEventView> => ({
  id: event.id,
  action: event.action,
  actor_id: event.actorId ?? null,
  client_id: event.clientId ?? null,
  ip: event.ip ?? null,
  user_agent: event.userAgent ?? null,
  request_id: event.requestId ?? null,
  trace_id: event.traceId ?? null,
  detail: detailLine(event.details),
  details: event.details,
  created_at: event.at.toISOString(),
});
