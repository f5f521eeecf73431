import { invalidScope } from './errors.ts';

const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** A single scope-token by the grammar of RFC 6749 §3.3. */
export const isScopeToken = (value: string): boolean => value.length <= 256 && scopeToken.test(value);

/**
 * Asks for a long-lived grant (OpenID Connect Core §11). It names no permission at a resource, so it is accepted from
 * everyone and never becomes part of a token's scope; whether a refresh token is given is the client registration's matter.
 */
export const offlineAccess = 'offline_access';

/**
 * Reads the `scope` string of a request (RFC 6749 §3.3): the scopes in order, each once, without `offline_access`.
 * `undefined` means the parameter was absent or empty, which is the same thing (RFC 6749 §3.1).
 *
 * @throws {OAuthError} `invalid_scope` when a token breaks the grammar
 */
export const parseScope = (scope: string | undefined): string[] | undefined => {
  const names = (scope ?? '').split(' ').filter((name) => name !== '');
  if (names.length === 0) return undefined;
  if (names.length > 100 || !names.every(isScopeToken)) throw invalidScope('The scope is malformed.');
  const scopes = [...new Set(names)].filter((name) => name !== offlineAccess);
  return scopes.length === 0 ? undefined : scopes;
};

export const asksOfflineAccess = (scope: string | undefined): boolean =>
  (scope ?? '').split(' ').includes(offlineAccess);

export const formatScope = (scopes: readonly string[]): string => scopes.join(' ');

export const includesAll = (held: readonly string[], wanted: readonly string[]): boolean =>
  wanted.every((scope) => held.includes(scope));

export const intersectScopes = (left: readonly string[], right: readonly string[]): string[] =>
  left.filter((scope) => right.includes(scope));
