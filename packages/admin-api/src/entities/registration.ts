import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as initialAccessToken from '../views/initial-access-token.ts';
import * as system from '../views/system.ts';

/** The part of the table that says who may register a client (RFC 7591). */
export const registrationEntities = {
  dcr: {
    title: 'Dynamic client registration',
    operations: {
      get: {
        method: 'GET',
        path: '/admin/settings/dcr',
        summary: 'Show who may register a client.',
        returns: system.DcrSettings,
      },
      set: {
        method: 'PATCH',
        path: '/admin/settings/dcr',
        summary: 'Change who may register a client; survives a restart.',
        body: system.DcrSettings,
        returns: system.DcrSettings,
        audit: 'dcr.mode_updated',
      },
    },
  },

  initialAccessToken: {
    title: 'Initial access tokens',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/initial-access-tokens',
        summary: 'List the tokens that let their bearers register clients.',
        query: initialAccessToken.ListInitialAccessTokens,
        returns: z.array(initialAccessToken.InitialAccessTokenView),
      },
      create: {
        method: 'POST',
        path: '/admin/initial-access-tokens',
        summary: 'Make a token that lets its bearer register clients (RFC 7591 §3); it is shown this once.',
        body: initialAccessToken.CreateInitialAccessToken,
        returns: initialAccessToken.CreatedInitialAccessToken,
        status: 201,
        secret: 'token',
        audit: 'initial_access_token.created',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/initial-access-tokens/{id}',
        summary: 'Revoke a token; the clients it registered stay.',
        audit: 'initial_access_token.revoked',
      },
    },
  },
} as const satisfies Record<string, Entity>;
