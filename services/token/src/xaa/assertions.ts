import { clientAssertionAlgorithms, idJagType, invalidGrant } from '@authserver/oauth';
import type { Trust } from '@authserver/store';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Lookups } from '../lookups.ts';
import { type SignatureCheck, signedByHolder } from '../signatures.ts';
import type { KeptIdpKeys } from './idp-keys.ts';

/** What a trusted identity provider signed, and who that is. Nothing it says has been checked yet. */
export type SignedAssertion = { idp: Trust; payload: unknown };

/** @throws {OAuthError} `invalid_grant`, or `temporarily_unavailable` when the keys cannot be had */
export type OpenAssertion = (assertion: string) => Promise<SignedAssertion>;

/** Longer than any assertion with a certificate chain in its header. */
const maxLength = 16_384;

/**
 * Finds out who signed an assertion (ID-JAG §4.4.1): a key of the very issuer it names, with an algorithm on our list. One
 * that we issued ourselves is nobody's word here (§8.3), and an access token or id token of the issuer is none at all.
 */
export const createOpenAssertion =
  (deps: { issuer: string; lookups: Lookups; keys: KeptIdpKeys; signedBy: SignatureCheck }): OpenAssertion =>
  async (assertion) => {
    const header = readHeader(assertion);
    if (!header) throw invalidGrant('assertion_invalid');
    const idp = (await deps.lookups.trust()).get(header.iss);
    if (!idp || idp.issuer === deps.issuer) throw invalidGrant('idp_unknown');
    if (!idp.enabled) throw invalidGrant('idp_disabled');
    const { keys, signedBy } = deps;
    const signed = await signedByHolder(signedBy, assertion, header, {
      known: () => keys.of(idp),
      newer: (than) => keys.newerOf(idp, than),
    });
    if (!signed) throw invalidGrant('assertion_invalid');
    return { idp, payload: signed.payload };
  };

const readHeader = (assertion: string): { alg: string; kid: string | undefined; iss: string } | undefined => {
  if (assertion.length > maxLength) return undefined;
  try {
    const { alg, kid, typ } = decodeProtectedHeader(assertion);
    const { iss } = decodeJwt(assertion);
    const usable = typ === idJagType && (clientAssertionAlgorithms as readonly unknown[]).includes(alg);
    if (!usable || typeof iss !== 'string' || (kid !== undefined && typeof kid !== 'string')) return undefined;
    return { alg: alg as string, kid, iss };
  } catch {
    return undefined;
  }
};
