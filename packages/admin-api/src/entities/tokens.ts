import type { Entity } from '../entity.ts';
import * as issuance from '../views/issuance.ts';

/** What was issued. */
export const tokenEntities = {
  issuance: {
    title: 'Issued tokens',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/issuances',
        summary: 'Find issued tokens, newest first.',
        query: issuance.ListIssuances,
        returns: issuance.Issuances,
      },
      get: {
        method: 'GET',
        path: '/admin/issuances/{id}',
        summary: 'Show one issued token.',
        returns: issuance.IssuanceView,
      },
      revoke: {
        method: 'DELETE',
        path: '/admin/issuances/{id}',
        summary: 'Revoke one issued token and its descendants.',
        audit: 'issuance.revoked_admin',
      },
    },
  },
} as const satisfies Record<string, Entity>;
