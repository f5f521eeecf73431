import { Problem } from '@authserver/http';
import { type FoundKeys, type IdpKeys, IdpsBusy, IdpTrouble } from '@authserver/idp';

type Search = { keys?: FoundKeys; trouble?: IdpTrouble | IdpsBusy };

export const searchKeys = async (
  idpKeys: IdpKeys,
  idp: { issuer: string; jwksUri: string | undefined },
): Promise<Search> => {
  try {
    return { keys: await idpKeys.find(idp) };
  } catch (error) {
    if (error instanceof IdpTrouble || error instanceof IdpsBusy) return { trouble: error };
    throw error;
  }
};

/** Why a refresh failed: it is the identity provider's fault, and never ours. */
export const whyNoKeys = (trouble: IdpTrouble | IdpsBusy | undefined): Problem =>
  trouble instanceof IdpsBusy
    ? new Problem('too_many_requests', 'Other identity providers are being asked at this moment; try again.', {
        headers: { 'retry-after': '2' },
      })
    : new Problem('upstream_failed', `The identity provider has no usable keys for us: ${trouble?.message}.`, {
        cause: trouble,
      });

/** Key ids come from outside and go into logs and terminals. */
export const printable = (kid: string): string => kid.replace(/[^\x20-\x7e]/g, '?').slice(0, 128);
