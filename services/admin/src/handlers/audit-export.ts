import type { ExportedAuditEvent } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import type { ChainedAuditEvent, Repositories } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { invalid } from './refusals.ts';

const batch = 500;

/**
 * All events of a time, oldest first. They are read as far as the caller has come, in short statements, so that an export
 * neither fills this process nor holds a connection or a snapshot while somebody is slow.
 */
export const exportAudit =
  ({ admin }: Config): HandlersOf<'audit'>['export'] =>
  async ({ query, store, now }) => {
    const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
    const since = query.since === undefined ? ago(admin.audit_default_lookback) : new Date(query.since);
    const until = query.until === undefined ? now : new Date(query.until);
    const longest = admin.audit_export_max_lookback;
    if (longest > 0 && since < ago(longest)) throw invalid([`since: at most ${longest / 3600} hours can be exported`]);
    if (until <= since) throw invalid(['until: must be after since']);
    return events(store, since, until);
  };

const events = async function* ({ auditEvents }: Pick<Repositories, 'auditEvents'>, since: Date, until: Date) {
  for (let after: string | undefined; ; ) {
    const found = await auditEvents.listChained({ since, until, after }, batch);
    for (const event of found) yield toLine(event);
    const last = found.at(-1);
    if (!last || found.length < batch) return;
    after = last.id;
  }
};

const toLine = (event: ChainedAuditEvent): z.output<typeof ExportedAuditEvent> => ({
  v: 1,
  id: event.id,
  at: event.moment,
  action: event.action,
  actor_id: event.actorId ?? null,
  client_id: event.clientId ?? null,
  ip: event.ip ?? null,
  user_agent: event.userAgent ?? null,
  request_id: event.requestId ?? null,
  trace_id: event.traceId ?? null,
  details: event.details,
  day: event.place?.day ?? null,
  position: event.place?.position ?? null,
  hash: event.place?.hash.toString('hex') ?? null,
});
