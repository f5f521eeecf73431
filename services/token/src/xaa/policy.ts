import { intersectScopes, OAuthError, sameResource } from '@authserver/oauth';
import type { DecidingPolicy } from '@authserver/store';

/**
 * The scopes that the policies of an identity provider leave a client at a resource, or at this server itself where there is
 * none. The first policy about both decides; it narrows and never refuses for asking too much. Without a wish everything it
 * names is granted, and where it names nothing, `otherwise`.
 *
 * @throws {OAuthError} `access_denied` when no policy is about them, or nothing is left
 */
export const scopesByPolicy = (
  policies: readonly DecidingPolicy[],
  request: {
    clientId: string;
    resource: string | undefined;
    wanted: readonly string[] | undefined;
    otherwise: readonly string[];
  },
): readonly string[] => {
  const { clientId, resource, wanted, otherwise } = request;
  const policy = policies.find(
    ({ clientIds, resources }) =>
      (clientIds === undefined || clientIds.includes(clientId)) &&
      (resources === undefined || resources.some((one) => resource !== undefined && sameResource(one, resource))),
  );
  if (!policy) throw denied();
  const wish = wanted ?? policy.scopes ?? otherwise;
  const scopes = policy.scopes === undefined ? wish : intersectScopes(wish, policy.scopes);
  // An empty list is a policy that forbids; nothing asked for and nothing forbidden is for others to judge.
  if (scopes.length === 0 && (policy.scopes?.length === 0 || wish.length > 0)) throw denied();
  return scopes;
};

const denied = (): OAuthError =>
  new OAuthError(
    'access_denied',
    'No policy here allows this for assertions of the identity provider.',
    'policy_denied',
  );
