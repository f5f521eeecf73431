/**
 * The admin API, one row an entity. Routes, the OpenAPI document, the client and the commands are read from this table,
 * and so is what each change is called in the audit trail.
 */
import { z } from 'zod';
import type { Entity } from './entity.ts';
import { registrationEntities } from './registration-entities.ts';
import * as client from './views/client.ts';
import { ForceQuery } from './views/fields.ts';
import { UserGrants } from './views/grant.ts';
import * as issuance from './views/issuance.ts';
import * as key from './views/key.ts';
import * as resource from './views/resource.ts';
import * as system from './views/system.ts';
import * as trace from './views/trace.ts';
import * as user from './views/user.ts';

export const entities = {
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
      forceLogout: {
        method: 'DELETE',
        path: '/admin/users/{id}/tokens',
        summary: 'End all sessions and tokens of a user.',
        returns: user.ForcedLogout,
        audit: 'user.force_logout',
      },
    },
  },

  resource: {
    title: 'Resources',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/resources',
        summary: 'List resources, or show the one with this slug.',
        query: resource.ListResources,
        returns: z.union([z.array(resource.ResourceView), resource.ResourceView]),
      },
      get: {
        method: 'GET',
        path: '/admin/resources/{id}',
        summary: 'Show a resource, by id or slug.',
        returns: resource.ResourceView,
      },
      create: {
        method: 'POST',
        path: '/admin/resources',
        summary: 'Create a resource.',
        body: resource.CreateResource,
        returns: resource.ResourceView,
        status: 201,
        audit: 'resource.created',
      },
      update: {
        method: 'PATCH',
        path: '/admin/resources/{id}',
        summary: 'Change a resource, by id or slug.',
        body: resource.UpdateResource,
        returns: resource.ResourceView,
        audit: 'resource.patched',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/resources/{id}',
        summary: 'Delete a resource, by id or slug, with all tokens for it.',
        audit: 'resource.deleted',
      },
    },
  },

  policy: {
    title: 'Resource policies',
    operations: {
      listExchangeClients: {
        method: 'GET',
        path: '/admin/resources/{slug}/policy/exchange/allowed-clients',
        summary: 'Clients that may exchange a token of another client for this resource.',
        returns: resource.ExchangeClients,
      },
      addExchangeClient: {
        method: 'POST',
        path: '/admin/resources/{slug}/policy/exchange/allowed-clients',
        summary: 'Allow a client to exchange tokens for this resource.',
        body: resource.PolicyClient,
        returns: resource.ExchangeClients,
        audit: 'resource.policy.exchange.allowed_client.added',
      },
      removeExchangeClient: {
        method: 'DELETE',
        path: '/admin/resources/{slug}/policy/exchange/allowed-clients/{client_id}',
        summary: 'No longer allow a client to exchange tokens for this resource.',
        returns: resource.ExchangeClients,
        audit: 'resource.policy.exchange.allowed_client.removed',
      },
      listRuntimeClients: {
        method: 'GET',
        path: '/admin/resources/{slug}/policy/runtime/client-ids',
        summary: 'Clients that may act as this resource.',
        returns: resource.RuntimeClients,
      },
      addRuntimeClient: {
        method: 'POST',
        path: '/admin/resources/{slug}/policy/runtime/client-ids',
        summary: 'Let a client act as this resource.',
        body: resource.PolicyClient,
        returns: resource.RuntimeClients,
        audit: 'resource.policy.runtime.client.added',
      },
      removeRuntimeClient: {
        method: 'DELETE',
        path: '/admin/resources/{slug}/policy/runtime/client-ids/{client_id}',
        summary: 'No longer let a client act as this resource.',
        returns: resource.RuntimeClients,
        audit: 'resource.policy.runtime.client.removed',
      },
      listReturnUrls: {
        method: 'GET',
        path: '/admin/resources/{slug}/policy/connect/allowed-return-urls',
        summary: 'Where a connect flow for this resource may return.',
        returns: resource.ReturnUrls,
      },
      addReturnUrl: {
        method: 'POST',
        path: '/admin/resources/{slug}/policy/connect/allowed-return-urls',
        summary: 'Allow a return URL.',
        body: resource.PolicyReturnUrl,
        returns: resource.ReturnUrls,
        audit: 'resource.policy.connect.allowed_return_url.added',
      },
      removeReturnUrl: {
        method: 'DELETE',
        path: '/admin/resources/{slug}/policy/connect/allowed-return-urls',
        summary: 'No longer allow a return URL.',
        query: resource.RemoveReturnUrl,
        returns: resource.ReturnUrls,
        audit: 'resource.policy.connect.allowed_return_url.removed',
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
        returns: UserGrants,
      },
      revokeConsent: {
        method: 'DELETE',
        path: '/admin/grants/consent/{id}',
        summary: 'Revoke a consent grant, with all tokens issued under it.',
        audit: 'consent_grant.revoked_admin',
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

  key: {
    title: 'Signing keys',
    operations: {
      list: { method: 'GET', path: '/admin/keys', summary: 'List signing keys.', returns: key.Keys },
      rotate: {
        method: 'POST',
        path: '/admin/keys/rotate',
        summary: 'Sign with the next key from now on.',
        query: key.RotateKeyQuery,
        body: key.RotateKey,
        returns: key.RotatedKey,
        audit: 'key.rotated',
      },
    },
  },

  ...registrationEntities,

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

  system: {
    title: 'System',
    operations: {
      stats: { method: 'GET', path: '/admin/stats', summary: 'Counts for a dashboard.', returns: system.Stats },
      status: {
        method: 'GET',
        path: '/admin/system/status',
        summary: 'Version, uptime and the health of what this server depends on.',
        returns: system.SystemStatus,
      },
      config: {
        method: 'GET',
        path: '/admin/system/config',
        summary: 'What is configured, without secrets.',
        returns: system.SystemConfig,
      },
    },
  },
} as const satisfies Record<string, Entity>;

export type Entities = typeof entities;
