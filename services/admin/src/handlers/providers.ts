import { type CreateProvider, type ProviderView, readConfigData, type SecretOptions } from '@authserver/admin-api';
import type { DataCipher, Sealed } from '@authserver/encryption';
import { type BrokerProvider, type ProviderProtocol, type Repositories, uuidv7 } from '@authserver/store';
import type { z } from 'zod';
import type { Change, HandlersOf } from './handler.ts';
import { ChangedMeanwhile, conflict, invalid, notFound, orConflict } from './refusals.ts';

/** Of what stands in the way of a deletion, so many are named. */
const namedDependents = 100;

const slugTaken = () => 'A provider with this slug exists already.';

export type ProviderDeps = { cipher: DataCipher | undefined };

export const providerHandlers = ({ cipher }: ProviderDeps): HandlersOf<'provider'> => ({
  async list({ query: { slug, cursor, limit = 100, offset = 0 }, store, page, etag }) {
    if (slug !== undefined) {
      const found = await store.brokerProviders.findBySlug(slug);
      if (!found) throw notFound('provider');
      etag(found.version);
      return toView(found);
    }
    const found = await store.brokerProviders.list({ limit, offset, after: cursor });
    page(found);
    return found.rows.map(toView);
  },

  async get({ params, store, etag }) {
    const provider = await requireProvider(store, params.id);
    etag(provider.version);
    return toView(provider);
  },

  async create({ body, store, record, etag, now }) {
    const created = await orConflict(insertProvider({ cipher, store, now }, body), slugTaken);
    record(creationOf(created));
    etag(created.version);
    return toView(created);
  },

  async update({ params, body, store, record, match, etag }) {
    const before = await requireProvider(store, params.id);
    match(before.version);
    etag(before.version);
    const fields = Object.keys(body);
    if (fields.length === 0) return toView(before);
    const protocol = body.protocol ?? before.protocol;
    if (protocol !== before.protocol) await requireNoGrants(store, before);
    // A secret of one protocol means nothing to another.
    const kept = protocol === before.protocol ? before.sealedSecret : undefined;
    const { data, secret } = requireConfigData(protocol, body.config_data ?? before.configData, {
      keepsSecrets: cipher !== undefined,
      hasSecret: kept !== undefined,
    });
    const changed = {
      ...before,
      slug: body.slug ?? before.slug,
      displayName: body.display_name ?? before.displayName,
      protocol,
      configData: data,
      sealedSecret: await seal(cipher, before.id, secret ?? null),
    };
    const keepsSecret = secret === undefined && kept !== undefined;
    const updating = store.brokerProviders.update(changed, { keepsSecret });
    const after = await orConflict(updating, slugTaken);
    if (!after) throw new ChangedMeanwhile('provider');
    const { id, slug } = after;
    record({
      action: 'broker_provider.patched',
      feed: { kind: 'provider', key: id },
      details: {
        ...{ id, slug, fields: fields.join(','), before: toView(before), after: toView(after) },
        ...(secret === undefined ? {} : { client_secret: secret === null ? 'forgotten' : 'set' }),
      },
    });
    etag(after.version);
    return toView(after);
  },

  /** What is left of connections that ended goes with it; the audit trail remembers them. */
  async delete({ params, store, record, match }) {
    const before = await requireProvider(store, params.id);
    match(before.version);
    const { id, slug } = before;
    await store.brokerProviders.lock(id); // from here on nothing new refers to it
    await requireUnused(store, before);
    const forgotten = await store.brokerGrants.deleteRevokedOfProvider(id);
    if (!(await store.brokerProviders.delete(id))) throw new ChangedMeanwhile('provider');
    record({
      action: 'broker_provider.deleted',
      feed: { kind: 'provider', key: id },
      details: { id, slug, forgotten_grants: forgotten, before: toView(before) },
    });
  },
});

/** A slug may look like an id, so ids win. */
export const requireProvider = async (
  { brokerProviders }: Pick<Repositories, 'brokerProviders'>,
  idOrSlug: string,
): Promise<BrokerProvider> => {
  const found = (await brokerProviders.find(idOrSlug)) ?? (await brokerProviders.findBySlug(idOrSlug));
  if (!found) throw notFound('provider');
  return found;
};

type NewProvider = z.output<typeof CreateProvider>;

/** @throws {DuplicateRow} when the slug is taken */
export const insertProvider = async (
  { cipher, store, now }: ProviderDeps & { store: Pick<Repositories, 'brokerProviders'>; now: Date },
  { slug, display_name: displayName, protocol, config_data }: NewProvider,
): Promise<BrokerProvider> => {
  const id = uuidv7(now);
  const { data, secret } = requireConfigData(protocol, config_data, { keepsSecrets: cipher !== undefined });
  const sealedSecret = await seal(cipher, id, secret ?? null);
  return await store.brokerProviders.insert({ id, slug, displayName, protocol, configData: data, sealedSecret });
};

export const creationOf = (created: BrokerProvider): Change => ({
  action: 'broker_provider.created',
  feed: { kind: 'provider', key: created.id },
  details: { id: created.id, slug: created.slug, after: toView(created) },
});

/** Who a secret belongs to, for the cipher. */
export const ownerOf = (id: string): string => `provider:${id}`;

const seal = async (cipher: DataCipher | undefined, id: string, secret: string | null): Promise<Sealed | undefined> =>
  secret === null || cipher === undefined ? undefined : await cipher.encrypt(ownerOf(id), Buffer.from(secret));

/** @throws {Problem} `invalid_request` with everything that is wrong */
const requireConfigData = (protocol: ProviderProtocol, given: Record<string, unknown>, options: SecretOptions) => {
  const read = readConfigData(protocol, given, options);
  if (read.data) return read;
  throw invalid(read.problems.map(({ path, message }) => `${['config_data', ...path].join('.')}: ${message}`));
};

type Found = Pick<Repositories, 'resources' | 'brokerGrants' | 'brokerProviders'>;

/** A credential that was obtained by one protocol means nothing to another. */
const requireNoGrants = async ({ brokerProviders, brokerGrants }: Found, { id }: BrokerProvider): Promise<void> => {
  await brokerProviders.lock(id);
  const { total } = await brokerGrants.listLiveOfProvider(id, 1);
  if (total > 0)
    throw conflict(
      `${total} users are connected by the protocol it has; add another provider, or revoke their grants.`,
    );
};

const requireUnused = async ({ resources, brokerGrants }: Found, { id }: BrokerProvider): Promise<void> => {
  const served = await resources.listOfProvider(id, namedDependents);
  const held = await brokerGrants.listLiveOfProvider(id, namedDependents);
  if (served.total + held.total === 0) return;
  throw conflict(`The provider is in use: resources ${served.total}, broker grants ${held.total}.`, {
    dependents: [
      ...served.rows.map(({ id, slug }) => ({ type: 'resource', id, slug })),
      ...held.rows.map((grant) => ({ type: 'broker_grant', id: grant.id, user_id: grant.userId })),
    ],
  });
};

export const toView = (provider: BrokerProvider): z.output<typeof ProviderView> => ({
  id: provider.id,
  slug: provider.slug,
  display_name: provider.displayName,
  protocol: provider.protocol,
  config_data: provider.configData,
  ...(provider.sealedSecret ? { has_client_secret: true } : {}),
  created_at: provider.createdAt.toISOString(),
  updated_at: provider.updatedAt.toISOString(),
});
