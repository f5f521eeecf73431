import { timingSafeEqual } from 'node:crypto';
import {
  type CreateProvider,
  entities,
  ProviderDeclaration,
  readConfigData,
  UpdateProvider,
} from '@authserver/admin-api';
import { type DataCipher, DecryptionError, type Sealed } from '@authserver/encryption';
import type { BrokerProvider, ProviderProtocol, Repositories } from '@authserver/store';
import type { z } from 'zod';
import type { Handlers } from '../../handlers/handler.ts';
import { ownerOf } from '../../handlers/providers.ts';
import { type Declaration, type Found, type Kind, pick } from '../kind.ts';

const query = { dry_run: false };

export type ProviderKindDeps = { handlers: Pick<Handlers, 'provider'>; cipher: DataCipher | undefined };

export const providerKind = ({ handlers: { provider }, cipher }: ProviderKindDeps): Kind => {
  const { create, update, delete: remove } = entities.provider.operations;

  const toFound = (row: BrokerProvider): Found => ({
    key: row.slug,
    identity: row.id,
    params: { id: row.id },
    declaration: toDeclaration(row),
    hasSecret: (secret) => hasSecret(cipher, row, secret),
    leavesOut: row.sealedSecret
      ? 'its client_secret is left out; say where it is in config_data, client_secret_ref: env:NAME'
      : undefined,
  });

  return {
    name: 'provider',
    list: 'providers',
    schema: cipher === undefined ? ProviderDeclaration.superRefine(refuseSecret) : ProviderDeclaration,
    normal,
    keyOf: ({ slug }) => String(slug).toLowerCase(),
    references: () => [],
    optional: ['client_secret'],
    changeable: [...Object.keys(UpdateProvider.shape), 'client_secret'],
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
      const body = toBody(wanted) as z.output<typeof CreateProvider>;
      const { id } = await provider.create({ ...call, params: {}, query, body });
      return { identity: id };
    },

    async change(call, { params: { id = '' } }, wanted, members) {
      // A secret travels inside of config_data.
      const named = members.map((member) => (member === 'client_secret' ? 'config_data' : member));
      await provider.update({ ...call, params: { id }, query, body: pick(toBody(wanted), [...new Set(named)]) });
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

/** A secret is taken out of `config_data`, to where those of clients are, so that it is treated like those. */
const normal = (declaration: Declaration): Declaration => {
  const { client_secret: _, ...given } = declaration.config_data as Record<string, unknown>;
  const protocol = declaration.protocol as ProviderProtocol;
  const { data, ...read } = readConfigData(protocol, declaration.config_data as Record<string, unknown>, {
    keepsSecrets: true,
    hasSecret: true,
  });
  const secret = 'secret' in read && typeof read.secret === 'string' ? { client_secret: read.secret } : {};
  return { ...declaration, config_data: data ?? given, ...secret };
};

const toBody = ({ client_secret: secret, ...rest }: Declaration): Declaration =>
  secret === undefined ? rest : { ...rest, config_data: { ...(rest.config_data as object), client_secret: secret } };

const refuseSecret = (
  { protocol, config_data }: z.output<typeof ProviderDeclaration>,
  context: z.RefinementCtx,
): void => {
  for (const { path, message } of readConfigData(protocol, config_data).problems)
    if (path[0] === 'client_secret') context.addIssue({ code: 'custom', path: ['config_data', ...path], message });
};

/** One that cannot be opened any more is another: applying the files sets it anew. */
const hasSecret = async (
  cipher: DataCipher | undefined,
  { id, sealedSecret }: BrokerProvider,
  secret: string,
): Promise<boolean> => {
  if (cipher === undefined || sealedSecret === undefined) return false;
  try {
    const kept = await cipher.decrypt(ownerOf(id), sealedSecret as Sealed);
    const given = Buffer.from(secret);
    return kept.length === given.length && timingSafeEqual(kept, given);
  } catch (error) {
    if (error instanceof DecryptionError) return false;
    throw error;
  }
};

const toDeclaration = ({ slug, displayName, protocol, configData }: BrokerProvider): Declaration =>
  normal({ slug, display_name: displayName, protocol, config_data: configData });
