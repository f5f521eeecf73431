import {
  type CreateProvider,
  entities,
  ProviderDeclaration,
  readConfigData,
  UpdateProvider,
} from '@authserver/admin-api';
import type { BrokerProvider, ProviderProtocol, Repositories } from '@authserver/store';
import type { z } from 'zod';
import type { Handlers } from '../../handlers/handler.ts';
import { type Declaration, type Found, type Kind, pick } from '../kind.ts';

const query = { dry_run: false };

export const providerKind = ({ handlers: { provider } }: { handlers: Pick<Handlers, 'provider'> }): Kind => {
  const { create, update, delete: remove } = entities.provider.operations;
  return {
    name: 'provider',
    list: 'providers',
    schema: ProviderDeclaration,
    normal: (declaration) => ({
      ...declaration,
      config_data: normalData(declaration.protocol as ProviderProtocol, declaration.config_data),
    }),
    keyOf: ({ slug }) => String(slug).toLowerCase(),
    references: () => [],
    optional: [],
    changeable: Object.keys(UpdateProvider.shape),
    operations: { create, change: update, delete: remove },
    deletedFirst: false,

    async find(store, { keys, identities }) {
      const all = await everyProvider(store);
      return all.filter(({ id, slug }) => keys.includes(slug) || identities.includes(id)).map(toFound);
    },

    async *pages(store) {
      yield (await everyProvider(store)).map(toFound);
    },

    async create(call, wanted) {
      const body = wanted as z.output<typeof CreateProvider>;
      const { id } = await provider.create({ ...call, params: {}, query, body });
      return { identity: id };
    },

    async change(call, { params: { id = '' } }, wanted, members) {
      await provider.update({ ...call, params: { id }, query, body: pick(wanted, members) });
    },

    async delete(call, { params: { id = '' } }) {
      await provider.delete({ ...call, params: { id }, query, body: undefined });
    },
  };
};

/** There are as many as an organisation has upstreams. */
export const everyProvider = async ({ brokerProviders }: Pick<Repositories, 'brokerProviders'>) => {
  const all: BrokerProvider[] = [];
  for (let after: string | undefined; ; ) {
    const { rows, next } = await brokerProviders.list({ limit: 500, offset: 0, after });
    all.push(...rows);
    if (next === undefined) return all;
    after = next;
  }
};

const normalData = (protocol: ProviderProtocol, given: unknown): unknown =>
  readConfigData(protocol, given as Record<string, unknown>).data ?? given;

const toFound = (provider: BrokerProvider): Found => ({
  key: provider.slug,
  identity: provider.id,
  params: { id: provider.id },
  declaration: toDeclaration(provider),
});

const toDeclaration = ({ slug, displayName, protocol, configData }: BrokerProvider): Declaration => ({
  slug,
  display_name: displayName,
  protocol,
  config_data: normalData(protocol, configData),
});
