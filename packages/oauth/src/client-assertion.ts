/**
 * Client authentication by a signed assertion, `private_key_jwt` (RFC 7523 §3, draft-ietf-oauth-rfc7523bis): which keys
 * and algorithms may sign one, and what it must say. Whether the signature holds is for whoever has the keys.
 */
import { z } from 'zod';

export const clientAssertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Asymmetric ones only: with a shared key, a public key that is taken for a secret would sign (`none`, `HS*`). */
export const clientAssertionAlgorithms = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'] as const;
export type ClientAssertionAlgorithm = (typeof clientAssertionAlgorithms)[number];

export type Jwk = Record<string, unknown>;

/** What a private key or a shared secret has and a public key has not (RFC 7518 §6). */
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const minRsaBytes = 256; // 2048 bits (RFC 7518 §3.3)
/** 8192 bits and a short exponent: whoever registers a key may otherwise choose how long we compute for each assertion. */
const maxRsaBytes = 1024;
const maxExponentLength = 6;

/** What we know of a public key (RFC 7517 §4, RFC 7518 §6). Other members are ignored, and so they are not kept either. */
const publicMembers = ['kty', 'use', 'key_ops', 'alg', 'kid', 'crv', 'x', 'y', 'n', 'e'];
const maxMemberLength = 2048;

export const hasSecretMembers = (key: Jwk): boolean => secretMembers.some((member) => key[member] !== undefined);

/** What is wrong with a public key for signatures; `undefined` when nothing is. */
export const publicKeyProblem = (key: Jwk): string | undefined => {
  if (hasSecretMembers(key)) return 'a key contains private or secret members';
  if (key.use !== undefined && key.use !== 'sig') return 'a key is not for signatures';
  if (Array.isArray(key.key_ops) && !key.key_ops.includes('verify')) return 'a key is not for signatures';
  if (algorithmsOf(key).length === 0)
    return 'a key is of no supported kind: EC P-256 or P-384, RSA of 2048 to 8192 bits with a short exponent, or Ed25519';
  return undefined;
};

/**
 * The members of a sound key that mean something, as they may be kept: strangers choose the rest, megabytes of it, nested
 * without end or in characters no database takes.
 */
export const publicPart = (key: Jwk): Jwk =>
  Object.fromEntries(
    publicMembers.flatMap((name) => {
      const value = name === 'key_ops' && Array.isArray(key[name]) ? ['verify'] : key[name];
      return Array.isArray(value) || isKept(value) ? [[name, value]] : [];
    }),
  );

const isKept = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= maxMemberLength && !/\p{Cc}/u.test(value) && value.isWellFormed();

/** The client's public keys by value (RFC 7591 §2 `jwks`). */
export const PublicJwks = z
  .object({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(20) })
  .check(
    z.superRefine(({ keys }, context) => {
      for (const [index, key] of keys.entries()) {
        const message = publicKeyProblem(key);
        if (message) context.addIssue({ code: 'custom', path: ['keys', index], message });
      }
    }),
  )
  .transform(({ keys }) => ({ keys: keys.map(publicPart) }));

/** Where the client's public keys are (RFC 7591 §2 `jwks_uri`). Whether we go there is decided when they are needed. */
export const JwksUri = z
  .string()
  .max(2000)
  .refine((uri) => {
    // As it is written: a parser would mend blanks and control characters, and a database does not take all of them.
    const url = /^[\x21-\x7e]+$/.test(uri) ? URL.parse(uri) : null;
    return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '';
  }, 'must be an https URL');

/** Keys tried for one assertion: a set of hundreds must not become hundreds of signature checks. */
const maxCandidates = 4;

/** The keys of a set that may have signed an assertion with this header; all that fit when it names no key (RFC 7515 §4.1.4). */
export const fittingKeys = (keys: readonly Jwk[], header: { alg: string; kid: string | undefined }): Jwk[] =>
  keys
    .filter((key) => publicKeyProblem(key) === undefined)
    .filter((key) => (algorithmsOf(key) as string[]).includes(header.alg))
    .filter((key) => header.kid === undefined || key.kid === header.kid)
    .slice(0, maxCandidates);

/** What a key may be used with: its own `alg` if it names one, else what its type allows. */
const algorithmsOf = (key: Jwk): ClientAssertionAlgorithm[] => {
  const possible = possibleAlgorithms(key);
  return key.alg === undefined ? possible : possible.filter((alg) => alg === key.alg);
};

const possibleAlgorithms = (key: Jwk): ClientAssertionAlgorithm[] => {
  if (key.kty === 'EC' && key.crv === 'P-256') return ['ES256'];
  if (key.kty === 'EC' && key.crv === 'P-384') return ['ES384'];
  if (key.kty === 'OKP' && key.crv === 'Ed25519') return ['EdDSA'];
  return key.kty === 'RSA' && isBearableRsa(key) ? ['RS256', 'PS256'] : [];
};

const isBearableRsa = ({ n, e }: Jwk): boolean => {
  if (typeof n !== 'string' || typeof e !== 'string' || e.length > maxExponentLength) return false;
  const bytes = modulusBytes(n);
  return bytes >= minRsaBytes && bytes <= maxRsaBytes;
};

const modulusBytes = (n: string): number => Math.floor((n.replace(/^A+/, '').length * 3) / 4);

/** Clocks differ; this much is forgiven. */
const assertionSkewSeconds = 30;
/** An assertion is made for one request. One that is good for long is a password that somebody may find. */
const maxAssertionLifetimeSeconds = 600;

const NumericDate = z
  .number()
  .min(0)
  .max(2 ** 45);
const AssertionClaims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: NumericDate,
  nbf: NumericDate.optional(),
  iat: NumericDate.optional(),
  jti: z.string().min(1).max(512),
});

export type CheckedAssertion = { jti: string; expiresAt: Date };

/**
 * What a signed assertion says (RFC 7523 §3). The audience is the issuer and nothing else, alone or as the only member of
 * an array (rfc7523bis §4): an assertion that also names another server could be replayed from there.
 *
 * @returns the claims that matter, or a sentence about what is wrong for the developer of the client
 */
export const readAssertionClaims = (
  payload: unknown,
  expected: { clientId: string; issuer: string; now: Date },
): CheckedAssertion | string => {
  const parsed = AssertionClaims.safeParse(payload);
  if (!parsed.success)
    return `The client assertion's ${String(parsed.error.issues[0]?.path[0] ?? 'payload')} is missing or malformed.`;
  const { iss, sub, aud, exp, nbf, iat, jti } = parsed.data;
  const now = expected.now.getTime() / 1000;
  if (iss !== expected.clientId || sub !== expected.clientId)
    return "The client assertion's iss and sub must both be the client_id.";
  const audience = typeof aud === 'string' ? [aud] : aud;
  if (audience.length !== 1 || audience[0] !== expected.issuer)
    return `The client assertion's aud must be the issuer alone: ${expected.issuer}`;
  if (exp + assertionSkewSeconds <= now) return 'The client assertion has expired.';
  if (exp > now + maxAssertionLifetimeSeconds + assertionSkewSeconds)
    return `The client assertion's exp must be at most ${maxAssertionLifetimeSeconds} seconds ahead.`;
  if (nbf !== undefined && nbf - assertionSkewSeconds > now) return 'The client assertion is not valid yet.';
  if (iat !== undefined && iat - assertionSkewSeconds > now) return "The client assertion's iat is in the future.";
  return { jti, expiresAt: new Date((exp + assertionSkewSeconds) * 1000) };
};

/** `typ` of an assertion (rfc7523bis §4): its own, the plain one, or none. A JWT made for something else is not one. */
export const isAssertionType = (typ: unknown): boolean =>
  typ === undefined ||
  (typeof typ === 'string' &&
    ['jwt', 'client-authentication+jwt'].includes(typ.toLowerCase().replace(/^application\//, '')));
