import { includesAll, intersectScopes, OAuthError, parseScope, toErrorText } from '@authserver/oauth';
import type { Client, Resource } from '@authserver/store';
import type { ResourceCatalog } from '../lookups.ts';
import type { Params } from '../params.ts';
import { catalogScopes, defaultScopes, offeredAt, underCeiling } from '../scopes.ts';
import { namedResources } from '../targets.ts';

/** What the client wants to do, and where. No resource: at the authorization server itself. */
export type Wishes = { resources: readonly Resource[]; scopes: readonly string[] };

export type WishesDeps = {
  resources: () => Promise<ResourceCatalog>;
  requireScope: boolean;
  /** What a request without `resource` is for; a slug or a URI. */
  defaultResource: string | undefined;
};

/**
 * Reads `resource` (RFC 8707 §2) and `scope` (RFC 6749 §3.3) of an authorization request. The scopes may belong to any of
 * the resources, but each resource must be asked for something: a token is of no use where it permits nothing.
 *
 * @throws {OAuthError} `invalid_target` or `invalid_scope`
 */
export const readWishes = async (params: Params, client: Client, deps: WishesDeps): Promise<Wishes> => {
  const catalog = await deps.resources();
  const resources = namedResources(params.resources, catalog, deps.defaultResource);
  const scopes = readScopes(parseScope(params.scope), client, resources, catalog, deps);
  for (const { id, uri = '' } of resources)
    if (intersectScopes(scopes, offeredAt(catalog, id, client)).length === 0)
      throw new OAuthError('invalid_scope', toErrorText(`The scope asks for nothing at ${uri}.`), 'scope_empty');
  return { resources, scopes };
};

const readScopes = (
  asked: readonly string[] | undefined,
  client: Client,
  resources: readonly Resource[],
  catalog: ResourceCatalog,
  deps: WishesDeps,
): readonly string[] => {
  if (!asked) {
    if (deps.requireScope) throw new OAuthError('invalid_scope', 'scope is missing.', 'scope_missing');
    const scopes = underCeiling(defaultScopes(catalog, resources), client);
    if (scopes.length === 0) throw new OAuthError('invalid_scope', 'There is no scope to grant.', 'scope_empty');
    return scopes;
  }
  if (client.ceiling.length > 0 && !includesAll(client.ceiling, asked))
    throw new OAuthError('invalid_scope', 'The scope exceeds what the client may ask for.', 'scope_outside_ceiling');
  const unknown = asked.find((scope) => !catalogScopes(catalog, resources).includes(scope));
  if (unknown !== undefined)
    throw new OAuthError(
      'invalid_scope',
      toErrorText(`The resource does not offer ${unknown}.`),
      'scope_outside_catalog',
    );
  return asked;
};
