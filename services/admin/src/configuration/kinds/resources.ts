import { type CreateResource, entities, ResourceDeclaration, UpdateResource } from '@authserver/admin-api';
import type { Repositories, Resource } from '@authserver/store';
import type { z } from 'zod';
import type { Handlers } from '../../handlers/handler.ts';
import { requireProvider } from '../../handlers/providers.ts';
import { type Declaration, type Found, type Kind, pick } from '../kind.ts';
import { everyProvider } from './providers.ts';

const query = { dry_run: false };

export const resourceKind = ({ handlers: { resource } }: { handlers: Pick<Handlers, 'resource'> }): Kind => {
  const { create, update, delete: remove } = entities.resource.operations;
  return {
    name: 'resource',
    list: 'resources',
    schema: ResourceDeclaration,
    keyOf: ({ slug }) => String(slug).toLowerCase(),
    references(declaration) {
      const provider = declaration.broker_provider_slug;
      const { exchange, runtime } = (declaration.policy ?? {}) as Partial<z.output<typeof CreateResource>['policy']>;
      return [
        ...(provider ? [{ member: 'broker_provider_slug', kind: 'provider' as const, key: String(provider) }] : []),
        ...(exchange?.allowed_client_ids ?? []).map((key) => client('policy.exchange.allowed_client_ids', key)),
        ...(exchange?.budgets ?? []).flatMap(({ client_id: key }) =>
          key === undefined ? [] : client('policy.exchange.budgets', key),
        ),
        ...(runtime?.client_ids ?? []).map((key) => client('policy.runtime.client_ids', key)),
      ];
    },
    optional: [],
    changeable: [...Object.keys(UpdateResource.shape), 'broker_provider_slug'],
    obstacle: (wanted, [member]) =>
      member === 'uri' && wanted.uri === undefined ? 'cannot be taken away once it is there' : undefined,
    operations: { create, change: update, delete: remove },
    deletedFirst: true,
    retried: true,

    async find(store, { keys, identities }) {
      const all = await everyOne(store);
      return all.filter(({ key, identity }) => keys.includes(key) || identities.includes(identity));
    },

    async *pages(store) {
      yield await everyOne(store);
    },

    async create(call, wanted) {
      const body = wanted as z.output<typeof CreateResource>;
      const { id } = await resource.create({ ...call, params: {}, query, body });
      return { identity: id };
    },

    async change(call, { params: { id = '' } }, wanted, members) {
      const { broker_provider_slug: slug, ...body } = pick(wanted, members);
      const provider = members.includes('broker_provider_slug')
        ? { broker_provider_id: slug ? (await requireProvider(call.store, String(slug))).id : '' }
        : {};
      await resource.update({ ...call, params: { id }, query, body: { ...body, ...provider } });
    },

    async delete(call, { params: { id = '' } }) {
      await resource.delete({ ...call, params: { id }, query: { ...query, cascade: false }, body: undefined });
    },
  };
};

const client = (member: string, key: string) => ({ member, kind: 'client' as const, key });

const everyOne = async (store: Repositories): Promise<Found[]> => {
  const slugs = new Map((await everyProvider(store)).map(({ id, slug }) => [id, slug]));
  return (await store.resources.all()).map((resource) => ({
    key: resource.slug,
    identity: resource.id,
    params: { id: resource.id },
    declaration: toDeclaration(resource, slugs.get(resource.brokerProviderId ?? '')),
  }));
};

const toDeclaration = (resource: Resource, provider: string | undefined): Declaration => ({
  slug: resource.slug,
  ...(resource.uri === undefined ? {} : { uri: resource.uri }),
  backend_kind: resource.backendKind,
  ...(provider === undefined ? {} : { broker_provider_slug: provider }),
  display_name: resource.displayName,
  scopes: resource.scopes,
  policy: resource.policy,
  dpop_bound_access_tokens_required: resource.dpopBoundAccessTokensRequired,
});
