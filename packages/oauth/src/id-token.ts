/**
 * The ID token of an OpenID provider that a person signed in at (OpenID Connect Core §2, §3.1.3.7): what it must say before
 * anybody is let in. Whether the signature holds is for whoever has the keys.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { ClientAssertionAlgorithm } from './client-assertion.ts';

/** Clocks differ; this much is forgiven, in seconds. */
export const idTokenSkewSeconds = 30;
/** It comes straight from the token endpoint, so one that was signed long ago is another one. */
const longestAgeSeconds = 600;
/** Longest e-mail address (RFC 5321 §4.5.3.1.3), and the longest name an operator may give. */
const longestEmail = 254;
const longestName = 255;

const NumericDate = z
  .number()
  .min(0)
  .max(2 ** 45);

const Claims = z.object({
  iss: z.string(),
  /** At most 255 characters (§2), and what a database and a log take. */
  sub: z
    .string()
    .min(1)
    .max(255)
    .refine((sub) => !/\p{Cc}/u.test(sub) && sub.isWellFormed()),
  aud: z.union([z.string(), z.array(z.string())]),
  azp: z.string().optional(),
  exp: NumericDate,
  iat: NumericDate,
  nbf: NumericDate.optional(),
  nonce: z.string(),
  auth_time: NumericDate.optional(),
  at_hash: z.string().optional(),
});

/** Somebody at the provider. */
export type IdToken = {
  subject: string;
  /** When they proved who they are; not every provider says. */
  authTime: Date | undefined;
  /** They typed a password there (RFC 8176 §2). */
  byPassword: boolean;
  profile: Profile;
};

/** What an account keeps of them. */
export type Profile = { email: string | undefined; name: string | undefined };

/** A sentence for the operator: the claim that is wrong, and never its value. */
export type IdTokenProblem = { problem: string };

/**
 * What a signed ID token says, in the order of §3.1.3.7. With several audiences it must be made for us (`azp`): anybody else
 * among them holds it too.
 */
export const readIdToken = (
  payload: unknown,
  expected: { issuer: string; clientId: string; nonce: string; accessToken: string; alg: string; now: Date },
): IdToken | IdTokenProblem => {
  const parsed = Claims.safeParse(payload);
  if (!parsed.success)
    return { problem: `${String(parsed.error.issues[0]?.path[0] ?? 'payload')} is missing or malformed` };
  const { iss, sub, aud, azp, exp, iat, nbf, nonce, auth_time, at_hash } = parsed.data;
  const now = expected.now.getTime() / 1000;
  const audience = [aud].flat();
  if (iss !== expected.issuer) return { problem: 'iss is another issuer' };
  if (!audience.includes(expected.clientId)) return { problem: 'aud is another client' };
  if (audience.length > 1 && azp === undefined) return { problem: 'aud has several members and there is no azp' };
  if (azp !== undefined && azp !== expected.clientId) return { problem: 'azp is another client' };
  if (exp + idTokenSkewSeconds <= now) return { problem: 'exp is over' };
  if (iat - idTokenSkewSeconds > now) return { problem: 'iat is in the future' };
  if (iat + longestAgeSeconds + idTokenSkewSeconds <= now) return { problem: 'iat is too long ago' };
  if (nbf !== undefined && nbf - idTokenSkewSeconds > now) return { problem: 'nbf is in the future' };
  if (!sameText(nonce, expected.nonce)) return { problem: 'nonce is another one than was sent' };
  if (at_hash !== undefined && !sameText(at_hash, accessTokenHash(expected.accessToken, expected.alg)))
    return { problem: 'at_hash is not that of the access token' };
  return {
    subject: sub,
    authTime: auth_time === undefined ? undefined : new Date(auth_time * 1000),
    byPassword: saysPassword(payload),
    profile: readProfile(payload),
  };
};

/**
 * E-mail address and name, of an ID token or an answer of the userinfo endpoint (§5.1); what is unusable counts as not said.
 * An address the provider has not verified (`email_verified: false`) is anybody's, so it is not taken for theirs.
 */
export const readProfile = (claims: unknown): Profile => {
  const { email, email_verified, name, preferred_username } = claims as Record<string, unknown>;
  const unverified = email_verified === false || email_verified === 'false'; // some send text
  const names = [name, preferred_username].map((one) => (typeof one === 'string' ? one.trim() : ''));
  return {
    email: typeof email === 'string' && !unverified && isEmail(email.trim()) ? email.trim() : undefined,
    name: names.find((one) => one !== '' && one.length <= longestName && isPlain(one)),
  };
};

const isEmail = (text: string): boolean =>
  text.length <= longestEmail && /^[^\s@]+@[^\s@]+$/.test(text) && isPlain(text);

const isPlain = (text: string): boolean => !/\p{Cc}/u.test(text) && text.isWellFormed();

const saysPassword = (claims: unknown): boolean => {
  const { amr } = claims as { amr?: unknown };
  return Array.isArray(amr) && amr.includes('pwd');
};

const sameText = (a: string, b: string): boolean => {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
};

/** The left half of a hash with the algorithm of the signature (§3.1.3.6). */
const accessTokenHash = (accessToken: string, alg: string): string => {
  const digest = hash(hashes[alg as ClientAssertionAlgorithm] ?? 'sha256', accessToken, 'buffer');
  return digest.subarray(0, digest.length / 2).toString('base64url');
};

const hashes: Record<ClientAssertionAlgorithm, string> = {
  ES256: 'sha256',
  RS256: 'sha256',
  PS256: 'sha256',
  ES384: 'sha384',
  EdDSA: 'sha512',
};
