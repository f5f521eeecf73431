import { type ProviderView, readConfigData } from '@authserver/admin-api';
import { type BrokerProvider, type ProviderProtocol, type Repositories, uuidv7 } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { ChangedMeanwhile, conflict, invalid, notFound, orConflict } from './refusals.ts';

/** Of what stands in the way of a deletion, so many are named. */
const namedDependents = 100;

const slugTaken = () => 'A provider with this slug exists already.';

export const providerHandlers = (): HandlersOf<'provider'> => ({
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
    const created = await orConflict(
      store.brokerProviders.insert({
        id: uuidv7(now),
        slug: body.slug,
        displayName: body.display_name,
        protocol: body.protocol,
        configData: requireConfigData(body.protocol, body.config_data),
      }),
      slugTaken,
    );
    record({
      action: 'broker_provider.created',
      feed: { kind: 'provider', key: created.id },
      details: { id: created.id, slug: created.slug, after: toView(created) },
    });
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
    const updating = store.brokerProviders.update({
      ...before,
      slug: body.slug ?? before.slug,
      displayName: body.display_name ?? before.displayName,
      protocol,
      configData: requireConfigData(protocol, body.config_data ?? before.configData),
    });
    const after = await orConflict(updating, slugTaken);
    if (!after) throw new ChangedMeanwhile('provider');
    const { id, slug } = after;
    record({
      action: 'broker_provider.patched',
      feed: { kind: 'provider', key: id },
      details: { id, slug, fields: fields.join(','), before: toView(before), after: toView(after) },
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

/** @throws {Problem} `invalid_request` with everything that is wrong */
export const requireConfigData = (
  protocol: ProviderProtocol,
  given: Record<string, unknown>,
): Record<string, unknown> => {
  const { data, problems } = readConfigData(protocol, given);
  if (data) return data;
  throw invalid(problems.map(({ path, message }) => `${['config_data', ...path].join('.')}: ${message}`));
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
  created_at: provider.createdAt.toISOString(),
  updated_at: provider.updatedAt.toISOString(),
});
