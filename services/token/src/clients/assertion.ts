import {
  type CheckedAssertion,
  clientAssertionAlgorithms,
  invalidClient,
  isAssertionType,
  readAssertionClaims,
} from '@authserver/oauth';
import type { SingleUse } from '@authserver/replay';
import type { Client } from '@authserver/store';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { type SignatureCheck, signedByHolder } from '../signatures.ts';
import { after } from '../time.ts';
import type { ClientKeys } from './keys.ts';

export type AssertionDeps = {
  issuer: string;
  keys: ClientKeys;
  signedBy: SignatureCheck;
  singleUse: SingleUse;
  now: () => Date;
};

export type Assertions = {
  /** Whom an assertion says it is from. Nothing of it is proven yet. */
  claimedClientId(assertion: string): string | undefined;
  /** Checks signature and claims (RFC 7523 §3). @throws {OAuthError} `invalid_client` */
  verify(assertion: string, client: Client): Promise<CheckedAssertion>;
  /**
   * Uses the assertion up. Comes last, when everything else about it holds: otherwise anybody could fill the memory with
   * made-up ids, or use up somebody else's.
   *
   * @throws {OAuthError} `invalid_client` when it was used before, on any pod
   */
  claim(assertion: CheckedAssertion, client: Client): Promise<void>;
};

/** Longer than any assertion with a certificate chain in its header. */
const maxLength = 16_384;
/** How much longer than it is good a used assertion is remembered: the clocks of pods and stores differ. */
const rememberSeconds = 60;

/** Client authentication by `private_key_jwt`. */
export const createAssertions = ({ issuer, keys, signedBy, singleUse, now }: AssertionDeps): Assertions => {
  return {
    claimedClientId(assertion) {
      if (assertion.length > maxLength) return undefined;
      try {
        const { sub } = decodeJwt(assertion);
        return typeof sub === 'string' ? sub : undefined;
      } catch {
        return undefined;
      }
    },

    async verify(assertion, client) {
      const header = readHeader(assertion);
      if (!header) throw invalidClient('client_assertion_invalid');
      const verified = await signedByHolder(signedBy, assertion, header, {
        known: () => keys.of(client),
        newer: (than) => keys.newerOf(client, than),
      });
      if (!verified) throw invalidClient('client_assertion_invalid');
      // From here on it is the client we talk to, and it may know what is wrong.
      const claims = readAssertionClaims(verified.payload, { clientId: client.clientId, issuer, now: now() });
      if (typeof claims === 'string') throw invalidClient('client_assertion_invalid', claims);
      return claims;
    },

    async claim({ jti, expiresAt }, { clientId }) {
      const forgetAt = after(expiresAt, rememberSeconds);
      if (!(await singleUse.claim('client_assertion', JSON.stringify([clientId, jti]), { until: forgetAt })))
        throw invalidClient(
          'client_assertion_replayed',
          'The client assertion was used before; make a new one for each request.',
        );
    },
  };
};

const readHeader = (assertion: string): { alg: string; kid: string | undefined } | undefined => {
  try {
    const { alg, kid, typ } = decodeProtectedHeader(assertion);
    const usable = (clientAssertionAlgorithms as readonly unknown[]).includes(alg) && isAssertionType(typ);
    return usable && (kid === undefined || typeof kid === 'string') ? { alg: alg as string, kid } : undefined;
  } catch {
    return undefined;
  }
};
