import { invalidTarget, sameResource } from '@authserver/oauth';
import type { GrantedTarget, Resource } from '@authserver/store';
import type { ResourceCatalog } from './lookups.ts';
import type { Authorization } from './tokens/authorization.ts';

/** Resources one request may name. A token for more of them could be misused at too many places. */
const most = 10;

/**
 * The resources that the `resource` parameters of a request name (RFC 8707 §2), each once. Without any it is the default
 * resource, when the operator set one; else none, which is the authorization server itself.
 *
 * @throws {OAuthError} `invalid_target` when one of them is unknown, or not one that tokens of ours are for
 */
export const namedResources = (
  indicators: readonly string[],
  catalog: ResourceCatalog,
  defaultResource: string | undefined,
): readonly Resource[] => {
  if (indicators.length === 0 && defaultResource !== undefined) {
    const resource = catalog.find(defaultResource);
    if (!resource || !isMint(resource))
      throw invalidTarget('No resource is named, and the default resource of this server is missing.');
    return [resource];
  }
  requireFew(indicators);
  const resources = indicators.map((indicator) => {
    const resource = catalog.find(indicator);
    if (!resource) throw invalidTarget(`${numbered(indicators, indicator)} is not known here.`);
    if (!isMint(resource))
      throw invalidTarget(
        'The resource takes no tokens of this server; name the server in front of it.',
        'resource_not_mint',
      );
    return resource;
  });
  return [...new Set(resources)];
};

/**
 * What the `resource` and `audience` parameters of a token exchange name, each once (RFC 8693 §2.1). Both are looked up and
 * checked alike: what is not known here is for the caller to refuse.
 *
 * @throws {OAuthError} `invalid_target` when there are too many
 */
export const namedOnce = (
  names: readonly string[],
  catalog: ResourceCatalog,
): readonly { name: string; resource: Resource | undefined }[] => {
  requireFew(names);
  const targets = names.map((name) => ({ name, resource: catalog.find(name) }));
  return targets.filter(
    ({ resource }, at) => !resource || targets.findIndex((other) => other.resource?.id === resource.id) === at,
  );
};

/**
 * Those of a grant's targets that a token request names (RFC 8707 §2.2); all of them when it names none. It can only
 * choose among what was granted.
 *
 * @throws {OAuthError} `invalid_target`
 */
export const namedTargets = (
  indicators: readonly string[],
  targets: readonly GrantedTarget[],
  catalog: ResourceCatalog,
  issuer: string,
): readonly GrantedTarget[] => {
  if (indicators.length === 0) return targets;
  requireFew(indicators);
  const named = indicators.map((indicator) => {
    const id = catalog.find(indicator)?.id;
    const target = targets.find(
      ({ resourceId, resource }) =>
        sameResource(indicator, resource ?? issuer) || (id !== undefined && id === resourceId),
    );
    if (!target)
      throw invalidTarget(`${numbered(indicators, indicator)} is not covered by the grant.`, 'resource_mismatch');
    return target;
  });
  return targets.filter((target) => named.includes(target));
};

/** Says which one is meant without repeating what a stranger wrote. */
const numbered = (indicators: readonly string[], one: string): string =>
  indicators.length === 1 ? 'The resource' : `Resource ${indicators.indexOf(one) + 1} of ${indicators.length}`;

/** How the targets of a token appear in its authorization; the first alone when there is one. */
export const authorizedFor = (
  targets: readonly GrantedTarget[],
  issuer: string,
): Pick<Authorization, 'resource' | 'consentGrantId' | 'furtherTargets'> => {
  const [first, ...further] = targets;
  return {
    resource: { id: first?.resourceId, audience: first?.resource ?? issuer },
    consentGrantId: first?.consentGrantId,
    furtherTargets: further.flatMap(({ resourceId, resource, consentGrantId }) =>
      resourceId === undefined || resource === undefined ? [] : [{ resourceId, resource, consentGrantId }],
    ),
  };
};

export const resourceIdsOf = ({ resource, furtherTargets }: Authorization): (string | undefined)[] => [
  resource.id,
  ...(furtherTargets ?? []).map(({ resourceId }) => resourceId),
];

const isMint = ({ backendKind, uri }: Resource): boolean => backendKind === 'mint' && uri !== undefined;

const requireFew = (indicators: readonly string[]): void => {
  if (indicators.length > most) throw invalidTarget(`A request may name ${most} resources at most.`);
};
