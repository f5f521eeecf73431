import { compactJws, dpopAlgorithms, OAuthError, sameHtu, temporarilyUnavailable } from '@authserver/oauth';
import type { SingleUse } from '@authserver/replay';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { calculateJwkThumbprint, decodeProtectedHeader, errors, importJWK, jwtVerify } from 'jose';
import { z } from 'zod';
import { after } from '../time.ts';
import type { Nonces } from './nonces.ts';
import { PublicKey } from './public-key.ts';

/** Possession of a key, proven for this request (RFC 9449 §4.3). */
export type Proof = {
  /** SHA-256 thumbprint of the key (RFC 7638): the `jkt` of `cnf`. */
  readonly jkt: string;
  /**
   * Uses the proof up: true possession is shown once (RFC 9449 §11.1). Called when all else has been checked and before
   * anything is spent, or judged a replay; calling again changes nothing.
   *
   * @throws {OAuthError} `invalid_dpop_proof` when it was used before, `temporarily_unavailable` when nobody can say
   */
  claim(): Promise<void>;
};

export type Proofs = {
  /** Gives a caller that sent a proof the nonce for its next one, where nonces are demanded. Before anything can fail. */
  offerNonce(request: FastifyRequest, reply: FastifyReply, now: Date): void;
  /**
   * The proof in the `DPoP` header of a POST to `path` (such as `/oauth/token`) of the issuer. `undefined` when there is no
   * header, or DPoP is switched off. Writes nothing, so an answer `use_dpop_nonce` costs the client nothing.
   *
   * @throws {OAuthError} `invalid_dpop_proof`, or `use_dpop_nonce` with the header `DPoP-Nonce`
   */
  verify(request: FastifyRequest, path: string, now: Date): Promise<Proof | undefined>;
};

export type ProofDeps = {
  issuer: string;
  settings: { enabled: boolean; proof_lifetime: number; require_nonce: boolean };
  nonces: Nonces;
  singleUse: SingleUse;
  metrics: Metrics;
};

/** RFC 9449 §4.2. What a proof says beyond that is not our business. */
const Header = z.object({ alg: z.enum(dpopAlgorithms), jwk: PublicKey });
const Claims = z.object({
  jti: z.string().min(1).max(256),
  htm: z.string(),
  htu: z.string(),
  iat: z.number(),
  nonce: z.string().optional(),
});
type Claims = z.infer<typeof Claims>;

/** Longer is no proof. Keeps the work for strangers small. */
const longestProof = 8192;
/** How much longer than it is good a used proof is remembered: the clocks of pods and stores differ. */
const rememberSeconds = 60;

/** Checks proofs of possession (RFC 9449 §4.3), in the order that costs us least. */
export const createProofs = ({ issuer, settings, nonces, singleUse, metrics }: ProofDeps): Proofs => {
  const refuse = (description: string): never => {
    metrics.dpopRejected.inc({ reason: 'invalid_proof' });
    throw new OAuthError('invalid_dpop_proof', description, 'dpop_invalid');
  };
  const askForNonce = (missing: boolean, now: Date): never => {
    metrics.dpopRejected.inc({ reason: missing ? 'nonce_required' : 'nonce_mismatch' });
    throw new OAuthError(
      'use_dpop_nonce',
      missing ? 'The proof must carry the nonce given here.' : 'The nonce of the proof is not a current one of ours.',
      missing ? 'dpop_nonce_missing' : 'dpop_nonce_stale',
      { headers: { 'dpop-nonce': nonces.fresh(now) } },
    );
  };

  /** Signature and form: what the key's holder really said, and the thumbprint of the key. */
  const open = async (token: string, now: Date): Promise<{ claims: Claims; jkt: string }> => {
    // A second header would have been joined to the first by a comma.
    if (token.length > longestProof || !compactJws.test(token))
      refuse('The DPoP header must be exactly one signed JWT.');
    const header = Header.safeParse(decodeHeader(token));
    if (!header.success) return refuse(`The header of the proof does not fit: ${problemOf(header.error)}.`);
    const { alg, jwk } = header.data;
    try {
      const { payload } = await jwtVerify(token, await importJWK(jwk, alg), {
        algorithms: [alg],
        typ: 'dpop+jwt',
        currentDate: now,
        clockTolerance: settings.proof_lifetime,
      });
      const claims = Claims.safeParse(payload);
      if (!claims.success) return refuse(`The claims of the proof do not fit: ${problemOf(claims.error)}.`);
      return { claims: claims.data, jkt: await calculateJwkThumbprint(jwk) };
    } catch (error) {
      if (error instanceof OAuthError) throw error;
      if (error instanceof errors.JWSSignatureVerificationFailed)
        return refuse('The signature of the proof does not fit its key.');
      return refuse('The proof is not a JWT of type dpop+jwt whose key fits its algorithm.');
    }
  };

  const decodeHeader = (token: string): unknown => {
    try {
      return decodeProtectedHeader(token);
    } catch {
      return refuse('The header of the proof is not JSON.');
    }
  };

  return {
    offerNonce(request, reply, now) {
      if (settings.enabled && settings.require_nonce && request.headers.dpop !== undefined)
        reply.header('dpop-nonce', nonces.fresh(now));
    },

    async verify(request, path, now) {
      const token = request.headers.dpop;
      if (token === undefined || !settings.enabled) return undefined;
      const { claims, jkt } = await open([token].flat().join(), now);
      if (claims.htm !== 'POST') refuse('The proof is for another HTTP method (htm).');
      // Against the URL we are configured with: request headers say whatever the sender likes.
      if (!sameHtu(claims.htu, `${issuer}${path}`))
        refuse(`The proof is for another URL: htu must be ${issuer}${path}.`);
      if (Math.abs(now.getTime() / 1000 - claims.iat) > settings.proof_lifetime)
        refuse('The proof is too old or from the future (iat); compare the clocks.');
      if (claims.nonce === undefined && settings.require_nonce) askForNonce(true, now);
      if (claims.nonce !== undefined && !nonces.isLive(claims.nonce, now)) askForNonce(false, now);
      metrics.dpopValidated.inc();

      let claimed: Promise<void> | undefined;
      return {
        jkt,
        claim() {
          claimed ??= claimOnce(jkt, claims);
          return claimed;
        },
      };
    },
  };

  /** Per key, so that nobody can use up the `jti` of somebody else. */
  async function claimOnce(jkt: string, { jti, iat }: Claims): Promise<void> {
    const forgetAt = after(new Date(iat * 1000), settings.proof_lifetime + rememberSeconds);
    const first = await singleUse.claim('dpop_proof', `${jkt} ${jti}`, { until: forgetAt }).catch((error) => {
      throw temporarilyUnavailable(error);
    });
    if (first) return;
    metrics.dpopRejected.inc({ reason: 'replay' });
    throw new OAuthError(
      'invalid_dpop_proof',
      'The proof was used before; each request needs its own.',
      'dpop_replayed',
    );
  }
};

/** The first problem, with the member it is about. */
const problemOf = (error: z.ZodError): string => {
  const [issue] = error.issues;
  return `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is invalid'}`.trim();
};
