import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as system from '../views/system.ts';
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
        query: system.ListAuditEvents,
        returns: z.array(system.AuditEventView),
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
