import type { Entity } from '../entity.ts';
import * as issuance from '../views/issuance.ts';
import * as token from '../views/token.ts';

/** What was issued. */
export const tokenEntities = {
  token: {
    title: 'Tokens',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/tokens',
        summary: 'List refresh token families, and the live tokens that belong to none, newest first.',
        query: token.ListTokens,
        returns: token.Tokens,
      },
      revoke: {
        method: 'DELETE',
        path: '/admin/tokens/{jti}',
        summary: 'Revoke a family with all its tokens, or one access token with its descendants.',
        audit: 'token.revoked',
      },
    },
  },

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
