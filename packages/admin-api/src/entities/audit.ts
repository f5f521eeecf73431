import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as audit from '../views/audit.ts';
import * as trace from '../views/trace.ts';

/** What happened. */
export const auditEntities = {
  audit: {
    title: 'Audit trail',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/audit',
        summary: 'Read the audit trail, newest first.',
        query: audit.ListAuditEvents,
        returns: z.array(audit.AuditEventView),
      },
      export: {
        method: 'GET',
        path: '/admin/audit/export',
        summary: 'All audit events of a time, oldest first, with their places in the hash chain.',
        query: audit.ExportAuditEvents,
        returns: audit.ExportedAuditEvent,
        stream: 'application/x-ndjson',
      },
      verify: {
        method: 'GET',
        path: '/admin/audit/verify',
        summary: 'Verify the hash chain of the audit trail, day by day.',
        query: audit.VerifyAuditChain,
        returns: audit.VerifiedAuditDay,
        stream: 'application/x-ndjson',
      },
    },
  },

  trace: {
    title: 'Connection traces',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/trace',
        summary:
          'What a client tried on its way in, by the reference of an error page or by client id; kept for a day.',
        query: trace.TraceQuery,
        returns: trace.Trace,
      },
    },
  },
} as const satisfies Record<string, Entity>;
