import { redirectUri } from '../checks.ts';
import { choice, decimal, duration, flag, integer, list, secret, section } from '../leaf.ts';

const privateUseScheme = (value: string) =>
  value === '*' || /^[a-z][a-z0-9+.-]*$/.test(value) ? undefined : 'expected a URI scheme in lower case, or *';

/** How clients become known: dynamic registration (RFC 7591) and client id metadata documents. */
export const dcr = section({
  mode: choice(['open', 'approved_redirects', 'admin_only'], 'open').describe(
    'Who may register a client (RFC 7591). A mode set at runtime through the admin API overrides it.',
  ),
  approved_redirects: list([], redirectUri).describe(
    'Redirect URIs that may be registered in `approved_redirects` mode, compared exactly.',
  ),
  rate_limit: decimal(10).describe('Registrations a second from one address; 0 is no limit.'),
  rate_limit_burst: integer(20).describe('Registrations from one address at once; 0 is no limit.'),
  private_use_schemes: list(['*'], privateUseScheme).describe(
    'Private-use URI schemes whose redirect URIs a client may register, such as `cursor`. `*` is any that has a dot, or a host behind it (`cursor://host/…`); an empty list is none.',
  ),
  unused_client_ttl: duration('7d').describe(
    'Age at which a self-registered client that nobody ever used is deleted; 0 is never.',
  ),
  idle_client_ttl: duration('365d').describe(
    'Time without use after which a self-registered client that was used once is deleted; 0 is never.',
  ),
  unused_client_limit: integer(50_000).describe(
    'Self-registered clients that may wait for their first use. Beyond it the oldest are deleted before their time, once they are an hour old; nobody is refused. 0 is any number.',
  ),
  default_token_expiry: duration('15m', { min: '1s' }).describe('Lifetime of an access token.'),
  default_refresh_expiry: duration('168h', { min: '1s' }).describe(
    'Lifetime of a refresh token, renewed with every rotation up to `oauth.refresh_absolute_lifetime`.',
  ),
});

export const cimd = section({
  enabled: flag(true).describe('Accept client id metadata documents: a client id that is the URL of its metadata.'),
  require_https: flag(true).describe(
    'Fetch documents and key sets of clients over https only; false is for a localhost issuer.',
  ),
  allow_private_addresses: flag(false).describe(
    'Fetch documents and key sets of clients from private addresses too; true is for a localhost issuer.',
  ),
  cache_ttl: duration('1h').describe(
    'Longest time a document is used before it is fetched again; the `Cache-Control` of its host may shorten it, to a minute.',
  ),
  fetch_timeout: duration('10s', { min: '1ms' }).describe(
    'Time the fetch of a document or key set may take, from the name to the last byte.',
  ),
});

export const clientCredentials = section({
  enabled: flag(true).describe('Offer the client credentials grant (RFC 6749 §4.4).'),
  token_expiry: duration('1h', { min: '1s' }).describe('Lifetime of a machine token.'),
});

export const device = section({
  enabled: flag(true).describe('Offer the device authorization grant (RFC 8628), for devices without a browser.'),
  code_ttl: duration('10m', { min: '1m', max: '30m' }).describe(
    'Time a person has to enter the code of a device and to answer (RFC 8628 §3.2), 30m at most.',
  ),
});

export const clientSecretPepper = secret().describe(
  'Key of the HMAC-SHA-256 under which client secrets are stored; plain SHA-256 without it. Changing it invalidates every client secret.',
);
