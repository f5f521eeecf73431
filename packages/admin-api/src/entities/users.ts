import { z } from 'zod';
import type { Entity } from '../entity.ts';
import { ForceQuery } from '../views/fields.ts';
import { ListUserGrants, UserGrants } from '../views/grant.ts';
import { ListUserTokens, Tokens } from '../views/token.ts';
import * as user from '../views/user.ts';

/** People who sign in here, and what they allowed. */
export const userEntities = {
  user: {
    title: 'Users',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/users',
        summary: 'List users.',
        query: user.ListUsers,
        returns: z.array(user.UserView),
      },
      get: { method: 'GET', path: '/admin/users/{id}', summary: 'Show a user.', returns: user.UserView },
      create: {
        method: 'POST',
        path: '/admin/users',
        summary: 'Create a user.',
        body: user.CreateUser,
        returns: user.UserView,
        status: 201,
        audit: 'user.created',
      },
      update: {
        method: 'PATCH',
        path: '/admin/users/{id}',
        summary: 'Change a user, or set a new password.',
        body: user.UpdateUser,
        returns: user.UserView,
        audit: ['user.updated', 'user.password_set'],
      },
      delete: {
        method: 'DELETE',
        path: '/admin/users/{id}',
        summary: 'Delete a user.',
        query: ForceQuery,
        audit: 'user.deleted',
      },
      disable: {
        method: 'PATCH',
        path: '/admin/users/{id}/disable',
        summary: 'Disable a user and end all sessions and tokens.',
        returns: user.UserState,
        audit: 'user.disabled',
      },
      enable: {
        method: 'PATCH',
        path: '/admin/users/{id}/enable',
        summary: 'Enable a disabled user.',
        returns: user.UserState,
        audit: 'user.enabled',
      },
      tokens: {
        method: 'GET',
        path: '/admin/users/{id}/tokens',
        summary: 'List the tokens of a user: families, and those that belong to none.',
        query: ListUserTokens,
        returns: Tokens,
      },
      forceLogout: {
        method: 'DELETE',
        path: '/admin/users/{id}/tokens',
        summary: 'End all sessions and tokens of a user.',
        returns: user.ForcedLogout,
        audit: 'user.force_logout',
      },
    },
  },

  grant: {
    title: 'Grants of users',
    operations: {
      listUserGrants: {
        method: 'GET',
        path: '/admin/users/{id}/grants',
        summary: 'What a user allowed, revoked grants too.',
        query: ListUserGrants,
        returns: UserGrants,
      },
      revokeConsent: {
        method: 'DELETE',
        path: '/admin/grants/consent/{id}',
        summary: 'Revoke a consent grant, with all tokens issued under it.',
        audit: 'consent_grant.revoked_admin',
      },
      revokeBroker: {
        method: 'DELETE',
        path: '/admin/grants/broker/{id}',
        summary: 'Revoke a broker grant and forget its credential; what the provider has issued is not ours to end.',
        audit: 'broker_grant.revoked_admin',
      },
    },
  },
} as const satisfies Record<string, Entity>;
