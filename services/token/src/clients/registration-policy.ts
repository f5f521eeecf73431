import { OAuthError } from '@authserver/oauth';
import type { DcrMode } from '@authserver/store';

/** In `approved_redirects` every redirect URI must be on the operator's list, byte for byte. */
export const checkRegistrationPolicy = (
  mode: DcrMode,
  redirectUris: readonly string[],
  approved: readonly string[],
): void => {
  if (mode !== 'approved_redirects') return;
  const refused = redirectUris.filter((uri) => !approved.includes(uri));
  if (refused.length > 0 || redirectUris.length === 0)
    throw new OAuthError(
      'invalid_redirect_uri',
      `Not on the list of approved redirect URIs: ${refused.join(', ') || 'none given'}`.slice(0, 1000),
      'redirect_not_approved',
    );
};
