import { OAuthError, toErrorText } from '@authserver/oauth';
import type { Client } from '@authserver/store';
import { mayRefresh } from '../clients/refresh-policy.ts';
import type { Grant } from './grant.ts';

/** Grant types that exist and can be switched off, with the setting that does so. */
const switches: Record<string, string> = {
  client_credentials: 'client_credentials.enabled',
  'urn:ietf:params:oauth:grant-type:token-exchange': 'token_exchange.enabled',
  'urn:ietf:params:oauth:grant-type:device_code': 'device.enabled',
  'urn:ietf:params:oauth:grant-type:jwt-bearer': 'xaa.enabled',
};

/**
 * The grant a request names.
 *
 * @throws {OAuthError} `unsupported_grant_type`, or `unauthorized_client` when the client is not registered for it
 */
export const selectGrant = (enabled: readonly Grant[], grantType: string | undefined, client: Client): Grant => {
  if (grantType === undefined) throw new OAuthError('invalid_request', 'grant_type is missing.', 'invalid_request');
  const grant = enabled.find(({ type }) => type === grantType);
  if (!grant) {
    const setting = Object.hasOwn(switches, grantType) ? switches[grantType] : undefined;
    throw new OAuthError(
      'unsupported_grant_type',
      setting ? `This grant type is switched off (${setting}).` : 'This grant type is not supported.',
      setting ? 'grant_disabled' : 'unsupported_grant_type',
    );
  }
  if (!client.grantTypes.includes(grant.type) && !(grant.type === 'refresh_token' && mayRefresh(client)))
    throw new OAuthError(
      'unauthorized_client',
      toErrorText(`The client is not registered for ${grant.type}.`),
      'grant_not_registered',
    );
  return grant;
};
