import type { HeldRefreshToken } from '@authserver/store';
import { z } from 'zod';
import { numericDate } from './claims.ts';
import { Actor, type OwnClaims } from './verify.ts';

/** RFC 7662 §2.2. An inactive token has no other member: nothing may be learned from it. */
export const IntrospectionResponse = z.object({
  active: z.boolean(),
  scope: z.string().optional(),
  client_id: z.string().optional(),
  sub: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  iss: z.string().optional(),
  exp: z.number().optional(),
  iat: z.number().optional(),
  nbf: z.number().optional(),
  jti: z.string().optional(),
  /** RFC 9470 §6.2 */
  auth_time: z.number().optional(),
  acr: z.string().optional(),
  token_type: z.enum(['Bearer', 'DPoP', 'refresh_token']).optional(),
  cnf: z.object({ jkt: z.string() }).optional(), // RFC 9449 §6.2
  act: Actor.optional(), // RFC 8693 §4.1
  agent_id: z.string().optional(),
  agent_chain: z.array(z.string()).optional(),
});
export type IntrospectionResponse = z.infer<typeof IntrospectionResponse>;

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
