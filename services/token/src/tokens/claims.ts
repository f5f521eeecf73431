import type { Issuance } from '@authserver/store';

export const numericDate = (time: Date): number => Math.floor(time.getTime() / 1000);

/**
 * The claims of an access token (RFC 9068 §2.2), as JSON. The only place where a NumericDate or an `aud` is made.
 * `sub` equal to `client_id` marks a machine: user ids and client ids can never be equal.
 */
export const accessTokenClaims = (issuer: string, token: Issuance, authTime: Date | undefined): string => {
  const issuedAt = numericDate(token.issuedAt);
  return JSON.stringify({
    iss: issuer,
    sub: token.subject,
    aud: [token.resource],
    client_id: token.clientId,
    scope: token.scopes.length > 0 ? token.scopes.join(' ') : undefined,
    jti: token.id,
    iat: issuedAt,
    nbf: issuedAt,
    exp: numericDate(token.expiresAt),
    auth_time: authTime && numericDate(authTime),
    agent_id: token.agentId,
  });
};
