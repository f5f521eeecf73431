import { intersectScopes } from '@authserver/oauth';
import type { Client, Resource } from '@authserver/store';
import type { Lookups, ResourceCatalog } from './lookups.ts';

/** Cuts scopes to the client's ceiling; a client without one is not bounded (user grants only). */
export const underCeiling = (scopes: readonly string[], client: Client): readonly string[] =>
  client.ceiling.length === 0 ? scopes : intersectScopes(scopes, client.ceiling);

/** The scopes of a resource, or of all of them when none is named. */
export const catalogScopes = (catalog: ResourceCatalog, resource: Resource | undefined): readonly string[] =>
  resource ? resource.scopes.map(({ name }) => name) : catalog.scopes;

/** What a request without `scope` gets: the scopes the resource marks as default, else its whole catalog. */
export const defaultScopes = (catalog: ResourceCatalog, resource: Resource | undefined): readonly string[] => {
  const marked = (resource ? [resource] : catalog.all).flatMap(({ scopes }) => scopes.filter((scope) => scope.default));
  return marked.length > 0 ? [...new Set(marked.map(({ name }) => name))] : catalogScopes(catalog, resource);
};

/**
 * What a client may be given today at the resource a grant was made for. Empty when the resource is gone: an old grant
 * must not outlive what an operator took away.
 */
export const offeredScopes = async (
  lookups: Lookups,
  resourceId: string | undefined,
  client: Client,
): Promise<readonly string[]> => {
  const catalog = await lookups.resources();
  const resource = resourceId === undefined ? undefined : catalog.byId(resourceId);
  if (resourceId !== undefined && !resource) return [];
  return underCeiling(catalogScopes(catalog, resource), client);
};
