import type { AuditEventView } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import type { StoredAuditEvent } from '@authserver/store';
import { auditActions } from '@authserver/telemetry';
import type { z } from 'zod';
import { detailLine } from '../detail-line.ts';
import { exportAudit } from './audit-export.ts';
import { verifyAudit } from './audit-verify.ts';
import type { HandlersOf } from './handler.ts';
import { invalid } from './refusals.ts';

export const auditHandlers = ({ config }: { config: Config }): HandlersOf<'audit'> => ({
  async list({ query, store, now, page }) {
    const { audit_default_lookback, audit_max_lookback } = config.admin;
    const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
    const since = query.since === undefined ? ago(audit_default_lookback) : new Date(query.since);
    const until = query.until === undefined ? undefined : new Date(query.until);
    if (since < ago(audit_max_lookback))
      throw invalid([`since: at most ${audit_max_lookback / 3600} hours can be read`]);
    if (until && until <= since) throw invalid(['until: must be after since']);
    const { actor_id: actorId, client_id: clientId, ip, request_id: requestId, limit, offset, cursor } = query;
    const filter = { actions: actionsOf(query.action), actorId, clientId, ip, requestId, since, until };
    const found = await store.auditEvents.list(filter, { limit, offset, after: cursor });
    page(found);
    return found.rows.map(toView);
  },

  export: exportAudit(config),
  verify: verifyAudit,
});

/** `client.*` is every action of ours that begins so; anything else is an action, of this release or another. */
const actionsOf = (action: string | undefined): readonly string[] | undefined => {
  if (action === undefined) return undefined;
  if (!action.endsWith('.*')) return [action];
  const actions = Object.keys(auditActions).filter((known) => known.startsWith(action.slice(0, -1)));
  if (actions.length === 0) throw invalid([`action: none begins with ${action.slice(0, -1)}`]);
  return actions;
};

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
