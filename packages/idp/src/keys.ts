/** The public keys of an identity provider: asked of its host, through the guarded client. */
import { type Jwk, publicKeyProblem } from '@authserver/oauth';
import { createLimiter, type OutboundClient, Overloaded } from '@authserver/outbound';
import type { OutboundPurpose } from '@authserver/telemetry';
import { z } from 'zod';
import { askWithin, IdpTrouble, parseJson } from './ask.ts';
import { findJwksUri } from './metadata.ts';

export type FoundKeys = { jwksUri: string; keys: readonly Jwk[] };

/** Too many are being asked at this moment; nothing is known about this one. */
export class IdpsBusy extends Error {
  override readonly name = 'IdpsBusy';
}

export type IdpKeys = {
  /**
   * The usable keys at `jwksUri`, or where the metadata of the issuer says.
   *
   * @throws {IdpTrouble}
   * @throws {IdpsBusy}
   */
  find(idp: { issuer: string; jwksUri: string | undefined }): Promise<FoundKeys>;
};

const maxKeyBytes = 256 * 1024;
const maxKeys = 100;

const KeySet = z.object({ keys: z.array(z.unknown()) });

export const createIdpKeys = (deps: {
  outbound: OutboundClient<OutboundPurpose>;
  /** For all requests of one search. */
  searchMs: number;
  /** Searches at once: slow hosts must not hold what all callers share. */
  atOnce: number;
}): IdpKeys => {
  const few = createLimiter({ inFlight: deps.atOnce, waiting: 0, waitMs: 0 });

  const search = async (idp: { issuer: string; jwksUri: string | undefined }): Promise<FoundKeys> => {
    const ask = askWithin(deps.outbound, deps.searchMs);
    const jwksUri = idp.jwksUri ?? (await findJwksUri(ask, idp.issuer));
    const { status, body } = await ask(jwksUri, 'idp_keys', maxKeyBytes);
    if (status !== 200) throw new IdpTrouble(`${jwksUri} answered ${status}`);
    const set = KeySet.safeParse(parseJson(body)).data;
    if (!set) throw new IdpTrouble(`${jwksUri} is no JWK Set (RFC 7517 §5)`);
    const keys = set.keys.slice(0, maxKeys).filter(isUsable);
    if (keys.length === 0)
      throw new IdpTrouble(
        `${jwksUri} has no usable public key: EC P-256 or P-384, RSA of 2048 to 8192 bits, or Ed25519, for signatures`,
      );
    return { jwksUri, keys };
  };

  return {
    find: (idp) =>
      few
        .run(() => search(idp))
        .catch((error: unknown) => {
          throw error instanceof Overloaded ? new IdpsBusy('too many identity providers are being asked') : error;
        }),
  };
};

const isUsable = (key: unknown): key is Jwk =>
  typeof key === 'object' && key !== null && !Array.isArray(key) && publicKeyProblem(key as Jwk) === undefined;
