import { isDeepStrictEqual } from 'node:util';
import type { Config } from '@authserver/config';
import type { ChangeFeed } from '@authserver/events';
import { resourceKey } from '@authserver/oauth';
import type { Client, DcrMode, FrontingLink, Resource, Store, Trust } from '@authserver/store';
import { createCache, createSnapshot } from './cache.ts';

/** Last resort should every hint be lost; the change feed empties these within milliseconds. */
const ceilingTtlMs = 60_000;
/** Agents that are listed. */
const mostAgents = 1000;

/** The resources as the data plane asks for them. */
export type ResourceCatalog = {
  all: readonly Resource[];
  /** By resource indicator (RFC 8707) or slug. */
  find(indicator: string): Resource | undefined;
  byId(id: string): Resource | undefined;
  /** Every scope name of every resource, each once. */
  scopes: readonly string[];
};

/** What an operator lets tokens for one resource become at another. */
export type FrontingLinks = { between(sourceId: string, targetId: string): FrontingLink | undefined };

export type Lookups = {
  client(clientId: string): Promise<Client | undefined>;
  /** The client as it is at this moment, when that is not what `client` said. From then on `client` says it as well. */
  newerClient(than: Client): Promise<Client | undefined>;
  resources(): Promise<ResourceCatalog>;
  frontingLinks(): Promise<FrontingLinks>;
  /** Autonomous agents that an operator registered and that are active. */
  agents(): Promise<readonly Client[]>;
  dcrMode(): Promise<DcrMode>;
  /** The identity providers that operators trust, by issuer. */
  trust(): Promise<ReadonlyMap<string, Trust>>;
  /** The same as it is at this moment, for whoever learnt that what was known is no longer so. */
  newerTrust(): Promise<ReadonlyMap<string, Trust>>;
  /** As above, but the last known answer when the database is away: for metadata, which must keep answering. */
  lastKnown: { resources(): Promise<ResourceCatalog>; dcrMode(): Promise<DcrMode> };
  /** What is in memory of these two, at once; nothing when one of them has to be read. */
  held(): { resources: ResourceCatalog; dcrMode: DcrMode } | undefined;
};

/** What every request needs and an operator rarely changes, in memory. What may not be late is not here. */
export const createLookups = (store: Store, config: Config, feed: ChangeFeed): Lookups => {
  const clients = createCache({
    load: (id) => store.clients.find(id),
    ttlMs: ceilingTtlMs,
    maxEntries: 20_000,
    // Anybody registers as many as they like, each as large as it may be: they get no place here before somebody used them.
    isWorthKeeping: (client) => client.registrationSource !== 'dcr' || client.lastUsedAt !== undefined,
  });
  const resources = createSnapshot(async () => toCatalog(await store.resources.all()), ceilingTtlMs);
  const links = createSnapshot(async () => toLinks(await store.frontingLinks.all()), ceilingTtlMs);
  const agents = createSnapshot(() => store.clients.listAgents(mostAgents), ceilingTtlMs);
  const dcr = createSnapshot(async () => ({ mode: (await store.settings.dcrMode()) ?? config.dcr.mode }), ceilingTtlMs);

  const trust = createSnapshot(
    async () => new Map((await store.trust.all()).map((one) => [one.issuer, one])),
    ceilingTtlMs,
  );

  feed.subscribe('client', (key) => {
    clients.drop(key);
    agents.clear();
  });
  feed.subscribe('resource', () => {
    resources.clear();
    links.clear(); // they name resources by slug, and go with them
  });
  feed.subscribe('fronting_link', () => links.clear());
  feed.subscribe('dcr_mode', () => dcr.clear());
  feed.subscribe('idp', () => trust.clear());
  feed.subscribe('xaa_policy', () => trust.clear());
  feed.onReset(() => {
    clients.clear();
    agents.clear();
    resources.clear();
    links.clear();
    dcr.clear();
    trust.clear();
  });

  return {
    client: (id) => clients.get(id),
    async newerClient(than) {
      const row = await store.clients.find(than.clientId);
      if (isDeepStrictEqual(row, than)) return undefined;
      clients.drop(than.clientId);
      return row;
    },
    resources: () => resources.get(),
    frontingLinks: () => links.get(),
    agents: () => agents.stale(),
    dcrMode: async () => (await dcr.get()).mode,
    trust: () => trust.get(),
    newerTrust() {
      trust.clear();
      return trust.get();
    },
    lastKnown: { resources: () => resources.stale(), dcrMode: async () => (await dcr.stale()).mode },
    held() {
      const [catalog, setting] = [resources.peek(), dcr.peek()];
      return catalog && setting && { resources: catalog, dcrMode: setting.mode };
    },
  };
};

const toLinks = (all: readonly FrontingLink[]): FrontingLinks => {
  const byEnds = new Map(all.map((link) => [`${link.sourceId} ${link.targetId}`, link]));
  return { between: (sourceId, targetId) => byEnds.get(`${sourceId} ${targetId}`) };
};

const toCatalog = (all: readonly Resource[]): ResourceCatalog => {
  const byKey = new Map<string, Resource>();
  const bySlug = new Map(all.map((resource) => [resource.slug, resource]));
  const byId = new Map(all.map((resource) => [resource.id, resource]));
  for (const resource of all) if (resource.uri) byKey.set(resourceKey(resource.uri) ?? resource.uri, resource);
  return {
    all,
    find: (indicator) => {
      const key = resourceKey(indicator);
      return key === undefined ? bySlug.get(indicator) : byKey.get(key);
    },
    byId: (id) => byId.get(id),
    scopes: [...new Set(all.flatMap((resource) => resource.scopes.map((scope) => scope.name)))],
  };
};
