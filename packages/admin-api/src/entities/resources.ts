import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as resource from '../views/resource.ts';

/** What tokens are for, and who may act for it. */
export const resourceEntities = {
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
        summary:
          'Delete a resource, by id or slug, with all tokens for it. One with a history is archived, and found by its id from then on.',
        query: resource.DeleteResource,
        rehearsal: resource.ResourceEnd,
        audit: ['resource.deleted', 'fronting_link.deleted'],
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
      listExchangeBudgets: {
        method: 'GET',
        path: '/admin/resources/{slug}/policy/exchange/budgets',
        summary: 'What clients may do by token exchange for this resource before the user is asked again.',
        returns: resource.ExchangeBudgets,
      },
      setExchangeBudget: {
        method: 'PUT',
        path: '/admin/resources/{slug}/policy/exchange/budgets',
        summary: 'Limit what a client, or every other client, may do before the user is asked again.',
        body: resource.ExchangeBudget,
        returns: resource.ExchangeBudgets,
        audit: 'resource.policy.exchange.budget.set',
      },
      removeExchangeBudget: {
        method: 'DELETE',
        path: '/admin/resources/{slug}/policy/exchange/budgets',
        summary: 'Remove the budget of a client, or the one for every other client.',
        query: resource.RemoveBudget,
        returns: resource.ExchangeBudgets,
        audit: 'resource.policy.exchange.budget.removed',
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
} as const satisfies Record<string, Entity>;
