import { redirectUri } from '../checks.ts';
import { choice, decimal, duration, flag, integer, list, secret, section } from '../leaf.ts';

/** How clients become known: dynamic registration (RFC 7591) and client id metadata documents. */
export const dcr = section({
  mode: choice(['open', 'approved_redirects', 'admin_only'], 'open').describe(
    'Who may register a client (RFC 7591). A mode set at runtime through the admin API overrides it.',
  ),
  approved_redirects: list([], redirectUri).describe(
    'Redirect URIs that may be registered in `approved_redirects` mode, compared exactly.',
  ),
  rate_limit: decimal(10).describe('Registrations a second from one address.').meta({ reserved: true }),
  rate_limit_burst: integer(20).describe('Registrations from one address at once.').meta({ reserved: true }),
  default_token_expiry: duration('15m', { min: '1s' }).describe('Lifetime of an access token.'),
  default_refresh_expiry: duration('168h', { min: '1s' }).describe(
    'Lifetime of a refresh token, renewed with every rotation up to `oauth.refresh_absolute_lifetime`.',
  ),
});

export const cimd = section({
  enabled: flag(true).describe('Accept client id metadata documents: a client id that is the URL of its metadata.'),
  require_https: flag(true).describe('Fetch documents over https only; false is for a localhost issuer.'),
  allow_private_addresses: flag(false).describe('Fetch from private addresses; true is for a localhost issuer.'),
  cache_ttl: duration('1h').describe('Longest time a document is used before it is fetched again.'),
  fetch_timeout: duration('10s', { min: '1ms' }).describe('Time a fetch may take.'),
}).meta({ reserved: true });

export const clientCredentials = section({
  enabled: flag(true).describe('Offer the client credentials grant (RFC 6749 §4.4).'),
  token_expiry: duration('1h', { min: '1s' }).describe('Lifetime of a machine token.'),
});

export const clientSecretPepper = secret().describe(
  'Key of the HMAC-SHA-256 under which client secrets are stored; plain SHA-256 without it. Changing it invalidates every client secret.',
);
