import type { Problem } from './problems.ts';
import { envPrefix } from './settings.ts';
import { deleteAt, setAt, type Tree, valueAt } from './tree.ts';

/** Keys older files may have, and what took their place. Ignoring them would change what the server does. */
const removedKeys: Readonly<Record<string, string>> = {
  resource_servers: 'was removed; use resources',
  vault_connectors: 'was removed; use broker_providers',
  vault_connect: 'was removed; use connect',
  'token_exchange.cross_client_allowlist': 'was removed; use policy.exchange.allowed_client_ids of the resource',
  'storage.sqlite': 'was removed; use storage.embedded, a PostgreSQL that serve starts by itself',
};

const removedEnv: readonly (readonly [RegExp, string])[] = [
  [/^STORAGE_SQLITE_/, 'was removed; use AUTHPLANE_STORAGE_EMBEDDED_PATH'],
  [/^TOKEN_EXCHANGE_CROSS_CLIENT_ALLOWLIST$/, 'was removed; use policy.exchange.allowed_client_ids of the resource'],
  [/^DPOP_PURGE_INTERVAL$/, 'was removed; use AUTHPLANE_PURGE_INTERVAL'],
];

/** Takes removed keys out of `tree` and reports each. */
export function takeRemovedKeys(tree: Tree): Problem[] {
  return Object.entries(removedKeys).flatMap(([key, message]) => {
    const path = key.split('.');
    if (valueAt(tree, path) === undefined) return [];
    deleteAt(tree, path);
    return [{ key, message }];
  });
}

/** What to say about a variable that existed once, or undefined. */
export function removedVariable(name: string): string | undefined {
  const bare = name.slice(envPrefix.length);
  return removedEnv.find(([pattern]) => pattern.test(bare))?.[1];
}

/** Moves values of deprecated keys to their successors. */
export function translateDeprecatedKeys(tree: Tree, warn: (notice: string) => void): Problem[] {
  const old = ['oidc', 'client_secret_env'];
  const value = valueAt(tree, old);
  if (value === undefined) return [];
  deleteAt(tree, old);
  if (valueAt(tree, ['oidc', 'client_secret_ref']) !== undefined) {
    return [
      { key: 'oidc.client_secret_env', message: 'is the old name of oidc.client_secret_ref; set only the new one' },
    ];
  }
  setAt(tree, ['oidc', 'client_secret_ref'], value);
  warn('oidc.client_secret_env is deprecated; use oidc.client_secret_ref');
  return [];
}
