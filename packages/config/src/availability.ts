import type { Problem } from './problems.ts';
import type { Config } from './schema.ts';

/**
 * Choices whose feature this release does not have. Other reserved settings only tune such a feature and are merely
 * noted; these ask for it, and a server that came up without it would not be what the operator wrote down.
 */
export function unavailableChoices(config: Config): Problem[] {
  const { oidc } = config;
  const asked: readonly (readonly [key: string, value: string, is: boolean])[] = [
    ['oidc.enabled', 'login at an OpenID provider', oidc.enabled],
  ];
  return asked
    .filter(([, , is]) => is)
    .map(([key, value]) => ({ key, message: `${value} is not available in this release` }));
}
