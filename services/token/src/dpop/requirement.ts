import { OAuthError, proofMissing } from '@authserver/oauth';
import type { Client } from '@authserver/store';
import type { Lookups } from '../lookups.ts';
import type { Proof } from './proof.ts';

/** Who must prove possession of a key: everybody, a client (RFC 9449 §5.2), or whoever wants a token for a resource. */
export type ProofRequirement = {
  /** @throws {OAuthError} when the client sent no proof and must */
  ofClient(client: Client, proof: Proof | undefined): void;
  /** @throws {OAuthError} when tokens for one of these resources must be bound and this one would not be */
  ofResources(resourceIds: readonly (string | undefined)[], proof: Proof | undefined): Promise<void>;
};

/**
 * Where a bound token is demanded and DPoP is switched off, nothing is issued: a demand that lapses with a setting would be
 * no demand.
 */
export const createProofRequirement = (deps: {
  settings: { enabled: boolean; require: boolean };
  lookups: Lookups;
}): ProofRequirement => {
  const missing = (what: string): OAuthError => {
    const { error, description } = proofMissing(what, deps.settings);
    return new OAuthError(error, description, 'dpop_missing');
  };

  return {
    ofClient(client, proof) {
      if (proof) return;
      if (deps.settings.require) throw missing('Every token is bound to a key here');
      if (client.dpopBoundAccessTokens) throw missing('The tokens of this client are bound to a key');
    },

    async ofResources(resourceIds, proof) {
      if (proof || resourceIds.length === 0) return;
      const { byId } = await deps.lookups.resources();
      if (resourceIds.some((id) => id !== undefined && byId(id)?.dpopBoundAccessTokensRequired))
        throw missing('Tokens for this resource are bound to a key');
    },
  };
};
