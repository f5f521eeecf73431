import type { Config } from '@authserver/config';
import { type GrantType, machineGrantTypes, OAuthError, redirectKind } from '@authserver/oauth';
import type { DcrMode } from '@authserver/store';

export type RedirectRules = {
  mode: DcrMode;
  /** An initial access token came with it: an operator vouches for whoever brings it. */
  vouched: boolean;
  /** What the client has already, for an update. */
  held: readonly string[];
  settings: Config['dcr'];
};

/**
 * What the operator does not allow of redirect URIs, a sentence for each: everybody's must be within the mode, or any will
 * do when somebody is vouched for. An update follows the same rules as a registration; what a client has it may keep, since
 * that widens nothing.
 */
export const refusedRedirects = (uris: readonly string[], rules: RedirectRules): string[] => {
  if (uris.length === 0 && rules.mode === 'approved_redirects' && !rules.vouched)
    return ['redirect_uris must name an approved redirect URI'];
  return uris.flatMap((uri) => {
    const why = rules.held.includes(uri) ? undefined : whyRefused(uri, rules);
    return why === undefined ? [] : [`${uri.slice(0, 120)} ${why}`];
  });
};

/** @throws {OAuthError} `invalid_redirect_uri`, naming each that is refused and why */
export const requireAllowedRedirects = (
  { redirectUris, ...rules }: Omit<RedirectRules, 'settings'> & { redirectUris: readonly string[] },
  settings: Config['dcr'],
): void => {
  const refused = refusedRedirects(redirectUris, { ...rules, settings });
  if (refused.length > 0) throw new OAuthError('invalid_redirect_uri', refused.join('; '), 'redirect_not_approved');
};

const whyRefused = (uri: string, { mode, vouched, settings }: RedirectRules): string | undefined => {
  if (redirectKind(uri) === 'private-use' && !settings.private_use_schemes.includes(schemeOf(uri))) {
    if (!settings.private_use_schemes.includes('*')) return 'has a scheme that is not accepted here';
    if (!schemeOf(uri).includes('.') && !hasHost.test(uri))
      return 'has a scheme that is not a domain name in reverse, such as com.example.app';
  }
  if (mode === 'open' || vouched) return undefined;
  if (mode === 'admin_only') return 'is new, and redirect URIs are added by an administrator here';
  return settings.approved_redirects.includes(uri) ? undefined : 'is not on the list of approved redirect URIs';
};

/**
 * A scheme should be a domain name in reverse, so that two apps do not meet in one (RFC 8252 §7.1, OAuth 2.1 §2.3.1). The
 * editors whose schemes are plain words write a host behind them, and they have to get in; nobody else needs a plain word.
 */
const hasHost = /^[^:]+:\/\/[^/?]+/;

const schemeOf = (uri: string): string => uri.slice(0, uri.indexOf(':'));

/**
 * The grants and the ceiling a self-registered client gets.
 *
 * A client that may act as itself gets no ceiling of ours, and without one a machine grant gives nothing: whoever may
 * register must not come by a token that no person agreed to. But without a ceiling what a person agrees to is unbounded,
 * so where the operator bounds self-registered clients one that wants both kinds of grant gets those of people alone.
 */
export const privilegesOf = (
  asked: readonly GrantType[],
  defaultCeiling: string | undefined,
): { grantTypes: readonly GrantType[]; ceiling: readonly string[] } => {
  const bound = (defaultCeiling ?? '').split(' ').filter((scope) => scope !== '');
  const ofPeople = asked.filter((type) => !machineGrantTypes.includes(type));
  if (bound.length > 0 && ofPeople.length > 0) return { grantTypes: ofPeople, ceiling: bound };
  return { grantTypes: asked, ceiling: ofPeople.length === asked.length ? bound : [] };
};
