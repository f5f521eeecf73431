import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as adminKey from '../views/admin-key.ts';

/** Who may use this API. */
export const adminKeyEntities = {
  adminKey: {
    title: 'Admin keys',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/admin-keys',
        summary: 'List the keys of this API, ended ones too.',
        query: adminKey.ListAdminKeys,
        returns: z.array(adminKey.AdminKeyView),
        role: 'owner',
      },
      get: {
        method: 'GET',
        path: '/admin/admin-keys/{id}',
        summary: 'Show a key of this API, without the key itself.',
        returns: adminKey.AdminKeyView,
        role: 'owner',
      },
      self: {
        method: 'GET',
        path: '/admin/admin-keys/self',
        summary: 'Show whom the key of this request stands for.',
        returns: adminKey.AdminIdentity,
      },
      create: {
        method: 'POST',
        path: '/admin/admin-keys',
        summary: 'Make a key of this API; it is shown this once.',
        body: adminKey.CreateAdminKey,
        returns: adminKey.CreatedAdminKey,
        status: 201,
        role: 'owner',
        secret: 'key',
        audit: 'admin_key.created',
      },
      update: {
        method: 'PATCH',
        path: '/admin/admin-keys/{id}',
        summary: 'Change label, role or end of a key of this API.',
        body: adminKey.UpdateAdminKey,
        returns: adminKey.AdminKeyView,
        role: 'owner',
        audit: 'admin_key.updated',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/admin-keys/{id}',
        summary: 'Revoke a key of this API, at once and for good.',
        role: 'owner',
        audit: 'admin_key.revoked',
      },
    },
  },

  auth: {
    title: 'Sign-in of the admin UI',
    operations: {
      verify: {
        method: 'POST',
        path: '/admin/auth/verify',
        summary: 'Check the key of this request, as the admin UI does when it is opened.',
        returns: adminKey.VerifiedAdmin,
        role: 'viewer',
        audit: 'admin.ui.login',
      },
    },
  },
} as const satisfies Record<string, Entity>;
