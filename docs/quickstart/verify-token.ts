/**
 * Verifies access tokens: the part of the sample that matters most, and that you can copy as it is.
 * Keys are found from the issuer alone: its metadata (RFC 8414 §3) names the key set, which jose fetches and caches.
 */
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';

/** The authorization server, not the token, is the problem: the caller may try again later. */
export class IssuerUnavailable extends Error {}

/**
 * Fetches the metadata of an authorization server and returns where its keys are.
 *
 * @throws {IssuerUnavailable} when it does not answer, or answers for another issuer.
 */
export async function findKeys(issuer: string): Promise<URL> {
  const { origin, pathname } = new URL(issuer);
  const url = `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const metadata = (await response.json()) as { issuer: string; jwks_uri: string };
    if (metadata.issuer !== issuer) throw new Error(`it is the metadata of ${metadata.issuer}`);
    return new URL(metadata.jwks_uri);
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string } }; // fetch says why in its cause
    throw new IssuerUnavailable(`Cannot use the authorization server metadata at ${url}: ${cause?.code ?? message}`, {
      cause: error,
    });
  }
}

/**
 * Makes the function that verifies RFC 9068 access tokens issued by `issuer` for `resource`, and for nobody else.
 * It throws `IssuerUnavailable` when the keys cannot be had, and any other error when the token is not good.
 */
export function tokenVerifier(issuer: string, resource: string): (token: string) => Promise<AuthInfo> {
  let keySet: JWTVerifyGetKey | undefined;
  const keys: JWTVerifyGetKey = async (header, token) => {
    keySet ??= createRemoteJWKSet(await findKeys(issuer));
    try {
      return await keySet(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JOSENotSupported) throw error;
      throw new IssuerUnavailable(`Cannot fetch the keys of ${issuer}`, { cause: error });
    }
  };

  return async (token) => {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['ES256', 'RS256', 'EdDSA'], // never let the token choose
      typ: 'at+jwt', // an ID token of the same issuer is no access token
      issuer,
      audience: resource, // a token for another server must not work here
      requiredClaims: ['exp', 'sub', 'client_id'],
    });
    // A token bound to a key (RFC 9449) is worth something only with a proof, which this sample does not check.
    if (payload.cnf) throw new Error('This server accepts plain bearer tokens only');
    const scopes = typeof payload.scope === 'string' ? payload.scope.split(' ') : [];
    return { token, clientId: String(payload.client_id), scopes, extra: { sub: payload.sub } };
  };
}
