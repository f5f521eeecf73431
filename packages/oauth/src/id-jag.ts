/**
 * The identity assertion JWT authorization grant (ID-JAG, draft-ietf-oauth-identity-assertion-authz-grant): what an
 * identity provider signs about one of its people, for one client at one authorization server. Whether the signature holds
 * is for whoever has the keys.
 */
import { z } from 'zod';
import { isScopeToken, offlineAccess } from './scope.ts';

/** `typ` of its header (§3.1); no other JWT is taken for one. */
export const idJagType = 'oauth-id-jag+jwt';
/** `requested_token_type` and `issued_token_type` at the identity provider (§4.3). */
export const idJagTokenType = 'urn:ietf:params:oauth:token-type:id-jag';
/** How metadata says that the grant is offered (§7.2). */
export const idJagProfile = 'urn:ietf:params:oauth:grant-profile:id-jag';

/** Clocks differ; this much is forgiven, in seconds. */
const skewSeconds = 30;
/** However old an assertion may be here, one that says of itself that it is good for longer is a password somebody may find. */
const longestLifetimeSeconds = 3600;

const NumericDate = z
  .number()
  .min(0)
  .max(2 ** 45);
/** Text that is kept: nothing a database does not take, and no control characters in logs. */
const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !/\p{Cc}/u.test(value) && value.isWellFormed());

const Claims = z.object({
  iss: z.string(),
  sub: text(255),
  aud: z.union([z.string(), z.array(z.string())]),
  client_id: z.string(),
  jti: text(512),
  exp: NumericDate,
  iat: NumericDate,
  nbf: NumericDate.optional(),
  resource: z.union([z.string(), z.array(z.string()).max(10)]).optional(),
  scope: z
    .string()
    .max(4096)
    .refine((scope) => scope.split(' ').every((name) => name === '' || isScopeToken(name)))
    .optional(),
  cnf: z.object({ jkt: z.string() }).optional(),
  /** RFC 9396: not offered here. To pass over a limit would be to grant more than was meant. */
  authorization_details: z.undefined().optional(),
});

export type IdJag = {
  subject: string;
  jti: string;
  /** Resource indicators the assertion is for; empty when it names none. */
  resources: readonly string[];
  /** The most that may be granted; without it the assertion sets no bound. */
  scopes: readonly string[] | undefined;
  /** Thumbprint of the key the client must prove (RFC 7800 §3.1, RFC 9449 §6.1). */
  jkt: string | undefined;
  /** From when on it is refused for its age, whatever `exp` says: so long its `jti` has to be known. */
  usableUntil: Date;
};

/** What is wrong with an assertion: a sentence for the developer of the client, and who it was meant for. */
export type IdJagProblem = { problem: string; otherClient: boolean };

/**
 * What a signed assertion says (§4.4.1, and §3 of RFC 7523). The audience is the expected one and nothing else, alone or as
 * the only member of an array: an assertion that also names another server could come from there.
 */
export const readIdJag = (
  payload: unknown,
  expected: { issuer: string; audience: string; clientId: string; maxAgeSeconds: number; now: Date },
): IdJag | IdJagProblem => {
  const wrong = (problem: string, otherClient = false): IdJagProblem => ({ problem, otherClient });
  const parsed = Claims.safeParse(payload);
  if (!parsed.success) {
    const member = String(parsed.error.issues[0]?.path[0] ?? 'payload');
    return wrong(
      member === 'authorization_details'
        ? "The assertion's authorization_details cannot be honoured here."
        : `The assertion's ${member} is missing or malformed.`,
    );
  }
  const { iss, sub, aud, client_id, jti, exp, iat, nbf, resource, scope, cnf } = parsed.data;
  const now = expected.now.getTime() / 1000;
  if (iss !== expected.issuer) return wrong("The assertion's iss is another one than its keys belong to.");
  const audience = typeof aud === 'string' ? [aud] : aud;
  if (audience.length !== 1 || audience[0] !== expected.audience)
    return wrong(`The assertion's aud must be this server alone: ${expected.audience}`);
  if (client_id !== expected.clientId) return wrong("The assertion's client_id is not the client that sent it.", true);
  if (exp + skewSeconds <= now) return wrong('The assertion has expired.');
  if (exp > iat + longestLifetimeSeconds)
    return wrong(`The assertion's exp must be at most ${longestLifetimeSeconds} seconds after its iat.`);
  if (iat - skewSeconds > now) return wrong("The assertion's iat is in the future.");
  if (iat + expected.maxAgeSeconds + skewSeconds <= now)
    return wrong(`The assertion is older than ${expected.maxAgeSeconds} seconds.`);
  if (nbf !== undefined && nbf - skewSeconds > now) return wrong('The assertion is not valid yet.');
  return {
    subject: sub,
    jti,
    resources: resource === undefined ? [] : [resource].flat(),
    scopes: scope === undefined ? undefined : scopesIn(scope),
    jkt: cnf?.jkt,
    usableUntil: new Date((Math.min(exp, iat + expected.maxAgeSeconds) + skewSeconds) * 1000),
  };
};

/** Unlike a parameter, a claim that is empty is not absent: it grants nothing. */
const scopesIn = (scope: string): string[] => [
  ...new Set(scope.split(' ').filter((name) => name !== '' && name !== offlineAccess)),
];

/**
 * The `sub` of somebody who has no account here: issuer and subject, as one text. The subject's own colons, slashes and
 * percent signs are encoded, so that no two pairs make the same text: else `8443:ann` at `https://idp.example` would be
 * `ann` at `https://idp.example:8443`.
 */
export const federatedSubject = (issuer: string, subject: string): string =>
  `${issuer}:${subject.replace(/[%:/]/g, encodeURIComponent)}`;
