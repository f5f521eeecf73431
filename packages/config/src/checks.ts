/** Checks used by several settings: each returns what is wrong with a value, or undefined. */

import { parseAddress } from './address.ts';

/** A listen address such as `:9000`. */
export const listenAddress = (value: string) => {
  try {
    parseAddress(value);
    return undefined;
  } catch (error) {
    return (error as RangeError).message;
  }
};

/** An absolute http or https URL. */
export const httpUrl = (value: string) => {
  const protocol = URL.parse(value)?.protocol;
  return protocol === 'https:' || protocol === 'http:' ? undefined : 'expected an http or https URL';
};

/** An absolute URI without a fragment, as a redirect URI must be (RFC 6749 §3.1.2). */
export const redirectUri = (value: string) =>
  URL.canParse(value) && !value.includes('#') ? undefined : 'expected absolute URIs without a fragment';

/** A serialized origin (RFC 6454 §6.2), or the wildcard. */
export const origin = (value: string) =>
  value === '*' || URL.parse(value)?.origin === value
    ? undefined
    : 'expected origins such as https://app.example.com, or *';

/** The name of an environment variable. */
export const environmentName = (value: string) =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(value) ? undefined : 'expected the name of an environment variable';

/** The name of an environment variable that may hold a secret of an upstream. */
export const secretReference = (value: string) =>
  /^(CONNECTOR_|AUTHPLANE_VAULT_)[A-Z0-9_]+$/.test(value)
    ? undefined
    : 'expected the name of an environment variable that starts with CONNECTOR_ or AUTHPLANE_VAULT_';

/** Scope tokens separated by spaces (RFC 6749 §3.3). */
export const scopeTokens = (value: string) =>
  value.split(' ').every((token) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(token))
    ? undefined
    : 'expected scope tokens separated by single spaces (RFC 6749 §3.3)';

/** One scope token (RFC 6749 §3.3). */
export const scopeToken = (value: string) =>
  value.includes(' ') ? 'expected one scope token (RFC 6749 §3.3)' : scopeTokens(value);

/** A slug: what names a resource or provider in URLs and on the command line. */
export const slug = (value: string) =>
  /^[a-z0-9][a-z0-9-]{0,63}$/.test(value)
    ? undefined
    : 'expected 1 to 64 of a-z, 0-9 and -, starting with a letter or digit';

/** Text of at least `length` characters. */
export const atLeast = (length: number) => (value: string) =>
  value.length >= length ? undefined : `must have at least ${length} characters`;
