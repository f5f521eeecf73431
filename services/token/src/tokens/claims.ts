import type { Issuance } from '@authserver/store';
import type { Vouched } from './authorization.ts';

export const numericDate = (time: Date): number => Math.floor(time.getTime() / 1000);

/** How and when the user behind a token signed in (RFC 9470 §6.1); a machine has neither. */
export type SignIn = { authTime: Date | undefined; acr?: string | undefined };

/**
 * The claims of an access token (RFC 9068 §2.2), as JSON. The only place where a NumericDate or an `aud` is made.
 * `sub` equal to `client_id` marks a machine: user ids and client ids can never be equal.
 */
export const accessTokenClaims = (issuer: string, token: Issuance, signIn: SignIn): string => {
  const issuedAt = numericDate(token.issuedAt);
  return JSON.stringify({
    iss: issuer,
    sub: token.subject,
    aud: [token.resource, ...(token.furtherTargets ?? []).map(({ resource }) => resource)],
    client_id: token.clientId,
    scope: token.scopes.length > 0 ? token.scopes.join(' ') : undefined,
    jti: token.id,
    iat: issuedAt,
    nbf: issuedAt,
    exp: numericDate(token.expiresAt),
    auth_time: signIn.authTime && numericDate(signIn.authTime),
    acr: signIn.acr,
    agent_id: token.agentId,
    agent_chain: token.agentChain,
    act: token.act, // RFC 8693 §4.1
    cnf: token.dpopJkt && { jkt: token.dpopJkt }, // RFC 9449 §6.1
  });
};

/** The claims of an assertion about a user (ID-JAG §3.1), as JSON. */
export const idJagClaims = (issuer: string, token: Issuance, { authTime }: SignIn, vouched: Vouched): string =>
  JSON.stringify({
    iss: issuer,
    sub: token.subject,
    aud: vouched.audience,
    client_id: vouched.clientId,
    jti: token.id,
    iat: numericDate(token.issuedAt),
    exp: numericDate(token.expiresAt),
    resource: vouched.resources.length > 1 ? vouched.resources : vouched.resources[0],
    scope: token.scopes.length > 0 ? token.scopes.join(' ') : undefined,
    auth_time: authTime && numericDate(authTime),
    cnf: token.dpopJkt && { jkt: token.dpopJkt },
  });
