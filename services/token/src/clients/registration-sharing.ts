import { createHash } from 'node:crypto';
import { redirectKind, type SelfDescription } from '@authserver/oauth';
import type { NewClient } from '@authserver/store';

/**
 * How many clients of the same metadata may wait for their first use, each with a registration of its own. Who comes after
 * them shares one more, so that a program that registers again and again fills no table (docs/decisions/0015).
 */
export const ownRegistrations = 20;

/**
 * What makes two public clients the same client: all that was registered. Loopback ports are left out, because any port
 * will do at such an address (RFC 8252 §7.3) and programs take a new one every time. `undefined` for a client with
 * credentials of its own, which can never be shared.
 */
export const fingerprintOf = (client: NewClient, selfDescription: SelfDescription): Buffer | undefined => {
  if (client.tokenEndpointAuthMethod !== 'none') return undefined;
  const { clientId: _, ...metadata } = client;
  const equal = {
    ...metadata,
    redirectUris: client.redirectUris.map(withoutPort).sort(),
    selfDescription: Object.entries(selfDescription).sort(([left], [right]) => (left < right ? -1 : 1)),
  };
  const text = JSON.stringify(Object.entries(equal).sort(([left], [right]) => (left < right ? -1 : 1)));
  return createHash('sha256').update(text).digest();
};

const withoutPort = (uri: string): string =>
  redirectKind(uri) === 'loopback' ? uri.replace(/^(http:\/\/(?:\[::1\]|[^/:]+)):[0-9]+/, '$1') : uri;
