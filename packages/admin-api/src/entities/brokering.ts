import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as fronting from '../views/fronting.ts';
import * as provider from '../views/provider.ts';

/** Where credentials of upstreams come from, and which resource stands in front of which. */
export const brokeringEntities = {
  provider: {
    title: 'Upstream providers',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/broker-providers',
        summary: 'List upstream providers, or show the one with this slug.',
        query: provider.ListProviders,
        returns: z.union([z.array(provider.ProviderView), provider.ProviderView]),
      },
      get: {
        method: 'GET',
        path: '/admin/broker-providers/{id}',
        summary: 'Show an upstream provider, by id or slug.',
        returns: provider.ProviderView,
      },
      create: {
        method: 'POST',
        path: '/admin/broker-providers',
        summary: 'Add an upstream provider.',
        body: provider.CreateProvider,
        returns: provider.ProviderView,
        status: 201,
        audit: 'broker_provider.created',
      },
      update: {
        method: 'PATCH',
        path: '/admin/broker-providers/{id}',
        summary: 'Change an upstream provider, by id or slug.',
        body: provider.UpdateProvider,
        returns: provider.ProviderView,
        audit: 'broker_provider.patched',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/broker-providers/{id}',
        summary: 'Delete an upstream provider that no resource and no user needs, by id or slug.',
        audit: 'broker_provider.deleted',
      },
    },
  },

  fronting: {
    title: 'Fronting links',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/fronting',
        summary: 'List links from a resource to one behind it.',
        query: fronting.ListFrontingLinks,
        returns: z.array(fronting.FrontingLinkView),
      },
      show: {
        method: 'GET',
        path: '/admin/resources/{slug}/fronting',
        summary: 'Links that begin or end at a resource.',
        returns: fronting.ResourceLinks,
      },
      get: {
        method: 'GET',
        path: '/admin/fronting/{source}/{target}',
        summary: 'Show a link, by the slugs of its resources.',
        returns: fronting.FrontingLinkView,
      },
      create: {
        method: 'POST',
        path: '/admin/fronting',
        summary: 'Let tokens for one resource become tokens for another.',
        body: fronting.CreateFrontingLink,
        returns: fronting.FrontingLinkView,
        status: 201,
        audit: 'fronting_link.created',
      },
      update: {
        method: 'PATCH',
        path: '/admin/fronting/{source}/{target}',
        summary: 'Change what a link maps to what.',
        body: fronting.UpdateFrontingLink,
        returns: fronting.FrontingLinkView,
        audit: 'fronting_link.patched',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/fronting/{source}/{target}',
        summary: 'Delete a link.',
        audit: 'fronting_link.deleted',
      },
    },
  },
} as const satisfies Record<string, Entity>;
