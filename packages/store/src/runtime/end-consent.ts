import type { Repositories } from '../store.ts';
import type { ConsentGrant } from './consent-grants.ts';

/**
 * Takes a consent back, with everything issued under it: its families, and by the marker every access token, also those
 * exchanged from one. In a transaction of the caller, who then records the change. `undefined` when there was nothing
 * left to take back.
 */
export const endConsent = async (
  tx: Repositories,
  id: string,
  now: Date,
): Promise<{ revoked: ConsentGrant; families: number } | undefined> => {
  const revoked = await tx.consentGrants.revoke(id, now); // first: from here on nothing more can be redeemed
  if (!revoked) return undefined;
  const families = await tx.tokenFamilies.revokeAll({ consentGrantId: id }, 'consent_revoked', now);
  // Who exchanged a token under it holds no family: one that was let in before us must not be younger than the marker.
  const latest = await tx.issuances.latestOfConsent(revoked, now);
  await tx.revocationMarkers.set('consent', id, latest && latest > now ? latest : now);
  return { revoked, families };
};
