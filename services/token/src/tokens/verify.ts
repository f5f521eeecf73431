import { isSignedBy, type Keyring } from '@authserver/keys';
import type { Actor as ActorClaim } from '@authserver/oauth';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import { tokenHash } from '../secrets.ts';
import { numericDate } from './claims.ts';

/** Who acts for the subject, and who acted before (RFC 8693 §4.1); members we do not know are kept. */
const Actor: z.ZodType<ActorClaim> = z.looseObject({
  sub: z.string(),
  get act() {
    return Actor.optional();
  },
});

/** What we write into the header of an access token, and nothing else: no `crit` and no key of its own. */
const Header = z.strictObject({ alg: z.string(), typ: z.literal('at+jwt'), kid: z.string() });

const Claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.array(z.string()).min(1),
  client_id: z.string(),
  scope: z.string().optional(),
  jti: z.string(),
  iat: z.number(),
  nbf: z.number(),
  exp: z.number(),
  auth_time: z.number().optional(),
  acr: z.string().optional(),
  cnf: z.object({ jkt: z.string() }).optional(),
  act: Actor.optional(),
  agent_id: z.string().optional(),
  agent_chain: z.array(z.string()).optional(),
});
export type OwnClaims = Readonly<z.infer<typeof Claims>>;

export type OwnTokenVerifier = (token: string, now: Date) => OwnClaims | undefined;

/** Longer is not ours. */
const longestToken = 16_384;
/**
 * A token is good from its `nbf` on, by the clock of the pod that issued it, and the clock of the pod that is asked may be
 * behind. Nothing is given away: no token is issued before it may be used.
 */
const clockLeewaySeconds = 30;
/** A JWS in compact form (RFC 7515 §3.1), to the letter: decoders put up with line breaks and padding, we do not. */
const compact = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** Tokens whose signature was good: resource servers ask about the same one again and again. Some 10 MB at most. */
const mostRemembered = 8192;

type Signed = { kid: string; claims: OwnClaims };

/**
 * Reads one of our own access tokens back: signature by a key of ours with the algorithm of that key, type, issuer and
 * times. `undefined` for everything else; whether the token was revoked is another question.
 *
 * A signature that was good stays good for as long as its key, so it is computed once for a token. Nothing else is
 * remembered, and of the token only its hash.
 */
export const createOwnTokenVerifier = ({ issuer, keyring }: { issuer: string; keyring: Keyring }): OwnTokenVerifier => {
  const remembered = new Map<string, Signed>();

  const read = (token: string): Signed | undefined => {
    const digest = tokenHash(token).toString('base64url');
    const known = remembered.get(digest);
    if (known) return keyring.verificationKey(known.kid) && known;
    const signed = open(token, keyring);
    if (signed && remembered.size >= mostRemembered) remembered.delete(remembered.keys().next().value as string);
    if (signed) remembered.set(digest, signed);
    return signed;
  };

  return (token, now) => {
    if (token.length > longestToken) return undefined;
    const claims = read(token)?.claims;
    if (claims?.iss !== issuer || claims.nbf > numericDate(now) + clockLeewaySeconds) return undefined;
    // The end has no leeway: a resource server must not be told that an expired token is good.
    return claims.exp > numericDate(now) ? claims : undefined;
  };
};

/** What a key of ours has signed. */
const open = (token: string, keyring: Keyring): Signed | undefined => {
  const [, header = '', payload = '', signature = ''] = compact.exec(token) ?? [];
  const { kid, alg } = Header.safeParse(decode(header)).data ?? {};
  const held = kid === undefined ? undefined : keyring.verificationKey(kid);
  if (kid === undefined || !held || held.alg !== alg) return undefined; // RFC 8725 §3.1
  if (!isSignedBy(held, `${header}.${payload}`, Buffer.from(signature, 'base64url'))) return undefined;
  const claims = Claims.safeParse(decode(payload)).data;
  return claims && { kid, claims };
};

const decode = (part: string): unknown => {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
};

/** The `iat` a token claims, to be trusted only as the moment at which the token is then verified. */
export const claimedIssueTime = (token: string): Date | undefined => {
  try {
    const { iat } = decodeJwt(token);
    return iat === undefined ? undefined : new Date(iat * 1000);
  } catch {
    return undefined;
  }
};
