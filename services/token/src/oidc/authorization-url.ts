import type { Config } from '@authserver/config';
import type { ProviderMetadata } from '@authserver/idp';
import type { Begun } from './flow.ts';

/** How the provider is to ask. */
export type Asking = {
  /** Anew, however recently it was (`prompt=login`). */
  anew: boolean;
  /** Which account, even if one is signed in there. */
  choose: boolean;
  /** Seconds since the person proved who they are, at most; `undefined`: any number. */
  maxAgeSeconds: number | undefined;
  loginHint: string | undefined;
};

/**
 * A year. Nobody is asked for a password because of it, but with any `max_age` a provider must say when the person last gave
 * one (`auth_time`, OpenID Connect Core §2), which later requests are measured by.
 */
const anyAgeSeconds = 31_536_000;

/** The authentication request (OpenID Connect Core §3.1.2.1), with PKCE (RFC 7636). */
export const authorizationUrl = (
  oidc: Config['oidc'],
  redirectUri: string,
  metadata: ProviderMetadata,
  begun: Begun,
  asking: Asking,
): string => {
  const url = new URL(metadata.authorization_endpoint); // it may have a query of its own (RFC 6749 §3.1)
  const parameters: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: oidc.client_id,
    redirect_uri: redirectUri,
    scope: scopesAskedOf(oidc, metadata).join(' '),
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: begun.challenge,
    code_challenge_method: 'S256',
    max_age: String(asking.maxAgeSeconds ?? anyAgeSeconds),
    prompt: promptOf(asking, metadata),
    login_hint: asking.loginHint,
    connector_id: oidc.connector_id,
  };
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
};

/** A provider that does not know `groups` may refuse the whole request for it, so it is asked only of one that lists it. */
const scopesAskedOf = (oidc: Config['oidc'], { scopes_supported }: ProviderMetadata): string[] => {
  const groups = oidc.include_groups_scope && scopes_supported?.includes('groups') ? ['groups'] : [];
  return [...new Set([...oidc.scopes, ...groups])];
};

/** Not every provider lets people choose; all can ask for a password, and whoever is asked for one can be somebody else. */
const promptOf = ({ anew, choose }: Asking, { prompt_values_supported }: ProviderMetadata): string | undefined => {
  if (anew) return 'login';
  if (!choose) return undefined;
  return prompt_values_supported?.includes('select_account') ? 'select_account' : 'login';
};
