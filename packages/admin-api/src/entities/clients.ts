import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as client from '../views/client.ts';
import { ForceQuery } from '../views/fields.ts';

/** What an operator does with OAuth clients. */
export const clientEntities = {
  client: {
    title: 'OAuth clients',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/clients',
        summary: 'List clients.',
        query: client.ListClients,
        returns: z.array(client.ClientView),
      },
      get: { method: 'GET', path: '/admin/clients/{id}', summary: 'Show a client.', returns: client.ClientView },
      create: {
        method: 'POST',
        path: '/admin/clients',
        summary: 'Create a client; the secret is shown this once.',
        body: client.CreateClient,
        returns: client.CreatedClient,
        status: 201,
        secret: 'client_secret',
        audit: 'client.created_admin',
      },
      update: {
        method: 'PATCH',
        path: '/admin/clients/{id}',
        summary: 'Change a client.',
        body: client.UpdateClient,
        returns: client.ClientView,
        audit: 'client.updated',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/clients/{id}',
        summary: 'Delete a client.',
        query: ForceQuery,
        audit: 'client.deleted',
      },
      rotateSecret: {
        method: 'POST',
        path: '/admin/clients/{id}/rotate-secret',
        summary: 'Replace the secret of a client; the old one ends at once, or after an overlap.',
        body: client.RotateSecret,
        returns: client.ClientSecret,
        secret: 'client_secret',
        audit: 'client.secret_rotated',
      },
      revokeSecret: {
        method: 'DELETE',
        path: '/admin/clients/{id}/secrets/{secret_id}',
        summary: 'End a replaced secret of a client before its time.',
        audit: 'client.secret_revoked',
      },
      suspend: {
        method: 'PATCH',
        path: '/admin/clients/{id}/suspend',
        summary: 'Suspend an active client: it gets no new tokens.',
        returns: client.ClientState,
        audit: 'client.suspended',
      },
      reactivate: {
        method: 'PATCH',
        path: '/admin/clients/{id}/reactivate',
        summary: 'Reactivate a suspended client.',
        returns: client.ClientState,
        audit: 'client.reactivated',
      },
      revoke: {
        method: 'PATCH',
        path: '/admin/clients/{id}/revoke',
        summary: 'Revoke a client for good, with all its tokens.',
        returns: client.ClientState,
        audit: 'client.revoked',
      },
    },
  },
} as const satisfies Record<string, Entity>;
