import type { Actor } from '@authserver/oauth';
import type { HeldRefreshToken } from '@authserver/store';
import { numericDate } from './claims.ts';
import type { OwnClaims } from './verify.ts';

/** RFC 7662 §2.2. An inactive token has no other member: nothing may be learned from it. */
export type IntrospectionResponse = {
  active: boolean;
  scope?: string | undefined;
  client_id?: string;
  sub?: string;
  aud?: string | string[];
  iss?: string;
  exp?: number;
  iat?: number;
  nbf?: number;
  jti?: string;
  /** RFC 9470 §6.2 */
  auth_time?: number | undefined;
  acr?: string | undefined;
  token_type?: 'Bearer' | 'DPoP' | 'refresh_token';
  cnf?: { jkt: string } | undefined; // RFC 9449 §6.2
  act?: Actor | undefined; // RFC 8693 §4.1
  agent_id?: string | undefined;
  agent_chain?: string[] | undefined;
};

export const inactive: IntrospectionResponse = { active: false };

/** What a live access token says of itself; `aud` is a string when there is one, as callers of this endpoint expect. */
export const describeAccessToken = ({ aud, ...claims }: OwnClaims): IntrospectionResponse => ({
  active: true,
  ...claims,
  aud: aud.length === 1 ? (aud[0] as string) : aud,
  token_type: claims.cnf ? 'DPoP' : 'Bearer',
});

export const describeRefreshToken = (held: HeldRefreshToken, issuer: string): IntrospectionResponse => ({
  active: true,
  scope: held.scopes.join(' '),
  client_id: held.clientId,
  sub: held.userId,
  iss: issuer,
  iat: numericDate(held.issuedAt),
  exp: numericDate(held.expiresAt),
  token_type: 'refresh_token',
  ...(held.dpopJkt === undefined ? {} : { cnf: { jkt: held.dpopJkt } }),
});
