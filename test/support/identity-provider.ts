import { generateKeyPairSync } from 'node:crypto';
import { startMetadataHost } from './metadata-host.ts';

export const publicKey = (kid: string) => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  ...{ kid, use: 'sig', alg: 'ES256' },
});

export const keySet = { keys: [publicKey('one'), publicKey('two')] };

type Provided = {
  /** Served as its keys instead of `keySet`. */
  keys?: unknown;
  /** Members of its metadata that are otherwise. */
  metadata?: Record<string, unknown>;
  /** Where its metadata is: OpenID Connect Discovery unless said. */
  at?: 'oidc' | 'oauth';
};

/** A web server on this machine with identity providers, each at a path of its own. */
export const startIdentityProviders = async () => {
  const host = await startMetadataHost();
  let made = 0;
  return {
    host,
    newIdp({ keys = keySet, metadata = {}, at = 'oidc' }: Provided = {}) {
      made += 1;
      const path = `/idp-${made}`;
      const issuer = `${host.origin}${path}`;
      const jwks_uri = host.publish(`${path}/keys`, keys as Record<string, unknown>);
      const document = { issuer, jwks_uri, ...metadata };
      if (at === 'oauth') host.publish(`/.well-known/oauth-authorization-server${path}`, document);
      else host.publish(`${path}/.well-known/openid-configuration`, document);
      return { issuer, jwks_uri, path };
    },
  };
};
