import type { Config } from '@authserver/config';
import {
  type IdJag,
  includesAll,
  intersectScopes,
  invalidGrant,
  invalidScope,
  invalidTarget,
  parseScope,
  resourceKey,
} from '@authserver/oauth';
import type { Client, Resource } from '@authserver/store';
import type { ResourceCatalog } from '../lookups.ts';
import { catalogScopes, grantableScopes, offeredAt } from '../scopes.ts';
import { namedResources } from '../targets.ts';

/**
 * What the token is for: what the request names, within what the assertion names (RFC 8707 §2.2).
 *
 * @throws {OAuthError} `invalid_grant` when the assertion is for something that is none of ours, `invalid_target` when the
 *   request is
 */
export const resourcesFor = (
  indicators: readonly string[],
  idJag: IdJag,
  catalog: ResourceCatalog,
  config: Pick<Config, 'oauth' | 'xaa'>,
): readonly Resource[] => {
  const asserted = idJag.resources.map((indicator) => {
    const resource = resourceKey(indicator) === undefined ? undefined : catalog.find(indicator);
    if (resource?.backendKind !== 'mint') throw invalidGrant('invalid_resource');
    return resource;
  });
  if (indicators.length === 0 && asserted.length > 0) return [...new Set(asserted)];
  if (indicators.length === 0 && config.xaa.require_resource)
    throw invalidTarget('Neither the assertion nor the request names a resource.', 'resource_missing');
  const named = namedResources(indicators, catalog, config.oauth.default_resource);
  if (asserted.length > 0 && !named.every((resource) => asserted.includes(resource)))
    throw invalidTarget('The assertion is for another resource.', 'resource_mismatch');
  return named;
};

/**
 * What the request asks for and the assertion allows, both where both are there; `undefined` where neither says anything.
 *
 * @throws {OAuthError} `invalid_grant` for a scope in the assertion that its resources do not have
 */
export const wantedScopes = (
  scope: string | undefined,
  { scopes: asserted }: IdJag,
  catalog: ResourceCatalog,
  resources: readonly Resource[],
): readonly string[] | undefined => {
  const asked = parseScope(scope);
  if (asserted && resources.length > 0 && !includesAll(catalogScopes(catalog, resources), asserted))
    throw invalidGrant('scope_outside_catalog');
  const wanted = asked && asserted ? intersectScopes(asked, asserted) : (asked ?? asserted);
  if (wanted?.length === 0) throw invalidScope('The assertion allows none of the scopes.', 'scope_outside_grant');
  return wanted;
};

/** What policies allow, and client and resources have; of several resources each by the policy about it. */
export const grantedScopes = (
  catalog: ResourceCatalog,
  resources: readonly Resource[],
  client: Client,
  allowedAt: (resource: Resource | undefined) => readonly string[],
): readonly string[] => {
  const scopes =
    resources.length === 0
      ? intersectScopes(allowedAt(undefined), client.ceiling)
      : grantableScopes(
          catalog,
          resources.map((resource) => ({ resourceId: resource.id, scopes: allowedAt(resource) })),
          client,
        );
  if (scopes.length === 0) throw invalidScope('Nothing of the scope is left for this client.', 'scope_outside_ceiling');
  for (const { id } of resources)
    if (intersectScopes(scopes, offeredAt(catalog, id, client)).length === 0)
      throw invalidScope('At one of the resources nothing of the scope is left.', 'scope_outside_catalog');
  return scopes;
};
