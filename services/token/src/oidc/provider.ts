import { askWithin, findProvider, IdpTrouble, type ProviderMetadata } from '@authserver/idp';
import type { OutboundClient } from '@authserver/outbound';
import type { OutboundPurpose } from '@authserver/telemetry';
import { createSnapshot } from '../cache.ts';
import { RefusedSignIn } from './refused.ts';

/** The OpenID provider as it describes itself (OpenID Connect Discovery §4). */
export type OpenIdProvider = {
  /** @throws {RefusedSignIn} `oidc_provider_unavailable` when it has never been read and cannot be now */
  metadata(): Promise<ProviderMetadata>;
};

const freshMs = 3600_000;
const searchMs = 5_000;
/** After a search that failed: a host that does not answer must not be waited for by everybody. */
const cooldownMs = 2_000;

/**
 * Reads the metadata once an hour, however many people sign in. While the provider cannot be reached the last one counts:
 * where its endpoints are hardly ever changes, and whether it works they will find out there.
 */
export const openIdProvider = (deps: {
  issuer: string;
  outbound: OutboundClient<OutboundPurpose>;
  /** People may be sent to an http address: on localhost. */
  allowHttp: boolean;
}): OpenIdProvider => {
  let failed: { error: unknown; at: number } | undefined;
  const held = createSnapshot(async () => {
    if (failed && performance.now() - failed.at < cooldownMs) throw failed.error;
    try {
      const metadata = await findProvider(askWithin(deps.outbound, searchMs), deps.issuer);
      requireWebAddress(metadata.authorization_endpoint, deps.allowHttp);
      failed = undefined;
      return metadata;
    } catch (error) {
      failed = { error, at: performance.now() };
      throw error;
    }
  }, freshMs);

  return {
    metadata: () =>
      held.stale().catch((error: unknown) => {
        if (!(error instanceof IdpTrouble)) throw error;
        throw new RefusedSignIn('oidc_provider_unavailable', error.message, { cause: error });
      }),
  };
};

/** People's browsers are sent there. */
const requireWebAddress = (address: string, allowHttp: boolean): void => {
  const protocol = URL.parse(address)?.protocol;
  if (protocol === 'https:' || (allowHttp && protocol === 'http:')) return;
  throw new IdpTrouble('the authorization_endpoint of the provider is not an https URL');
};
