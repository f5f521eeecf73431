import type { AuditEvent } from '@authserver/store';
import type { Logger } from '@authserver/telemetry';

/** The audit trail in the log as well, for whoever watches that. The trail itself, with its chain, is in the database. */
export const mirrorAudit =
  (logger: Logger) =>
  ({ action, actorId, clientId, ip, requestId, details = {} }: AuditEvent): void =>
    logger.info(
      { action, actor_id: actorId, client_id: clientId, ip, request_id: requestId, detail: details },
      'audit',
    );
