import { intersectScopes } from '@authserver/oauth';
import type { Client, GrantedTarget, Resource } from '@authserver/store';
import type { ResourceCatalog } from './lookups.ts';

/** Cuts scopes to the client's ceiling; a client without one is not bounded (user grants only). */
export const underCeiling = (scopes: readonly string[], client: Client): readonly string[] =>
  client.ceiling.length === 0 ? scopes : intersectScopes(scopes, client.ceiling);

/** The scopes of the resources, each once; of all there are when none is named. */
export const catalogScopes = (catalog: ResourceCatalog, resources: readonly Resource[]): readonly string[] =>
  resources.length === 0 ? catalog.scopes : each(resources.flatMap(scopeNames));

/** What a request without `scope` gets: the scopes each resource marks as default, else its whole catalog. */
export const defaultScopes = (catalog: ResourceCatalog, resources: readonly Resource[]): readonly string[] => {
  if (resources.length > 0) return each(resources.flatMap((resource) => defaultsOf(resource) ?? scopeNames(resource)));
  const marked = catalog.all.flatMap((resource) => defaultsOf(resource) ?? []);
  return marked.length > 0 ? each(marked) : catalog.scopes;
};

/**
 * What a client may be given today at the resource a grant was made for. Empty when the resource is gone, or takes no
 * tokens of ours any more: an old grant must not outlive what an operator took away.
 */
export const offeredAt = (
  catalog: ResourceCatalog,
  resourceId: string | undefined,
  client: Client,
): readonly string[] => {
  if (resourceId === undefined) return underCeiling(catalog.scopes, client);
  const resource = catalog.byId(resourceId);
  return resource?.backendKind === 'mint' ? underCeiling(scopeNames(resource), client) : [];
};

/**
 * What one token for all these targets may carry. A scope means the same at every resource in `aud`, so one that was
 * granted at some of them counts only if none of the others offers it too: there it would say more than the user did
 * (RFC 9068 §5). One that the user has taken back at one of them does not count either, although nobody may offer it there any
 * more. A token for fewer targets may then carry it.
 */
export const grantableScopes = (
  catalog: ResourceCatalog,
  targets: readonly Pick<GrantedTarget, 'resourceId' | 'scopes' | 'withdrawn'>[],
  client: Client,
): readonly string[] => {
  const places = targets.map(({ resourceId, scopes, withdrawn }) => {
    const offered = offeredAt(catalog, resourceId, client);
    return { offered, granted: intersectScopes(scopes, offered), withdrawn };
  });
  return each(places.flatMap(({ granted }) => granted)).filter((scope) =>
    places.every(
      ({ offered, granted, withdrawn }) =>
        !withdrawn?.includes(scope) && (granted.includes(scope) || !offered.includes(scope)),
    ),
  );
};

const scopeNames = (resource: Resource): string[] => resource.scopes.map(({ name }) => name);

const defaultsOf = (resource: Resource): string[] | undefined => {
  const marked = resource.scopes.filter((scope) => scope.default);
  return marked.length > 0 ? marked.map(({ name }) => name) : undefined;
};

const each = (scopes: readonly string[]): readonly string[] => [...new Set(scopes)];
