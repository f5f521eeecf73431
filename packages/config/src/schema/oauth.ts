import { z } from 'zod';
import { atLeast, httpUrl, scopeToken, scopeTokens, secretReference } from '../checks.ts';
import { choice, duration, flag, integer, list, optionalText, requiredText, secret, section } from '../leaf.ts';

export const oauth = section({
  require_scope: flag(false).describe(
    'Refuse a request without `scope` (RFC 6749 §3.3). Off: it gets the default scopes of the resource.',
  ),
  default_client_scope: optionalText(scopeTokens).describe(
    'Scopes a self-registered client may ever be granted, separated by spaces. Empty: no ceiling.',
  ),
  fallback_paths: flag(false).describe(
    'Also answer at `/authorize`, `/token` and `/register`, where MCP clients of 2025-03-26 look when they read no metadata.',
  ),
  state_max_age: duration('10m', { min: '1s' }).describe('Time a person may take from authorize to consent.'),
  code_ttl: duration('60s', { min: '1s', max: '60s' }).describe(
    'Lifetime of an authorization code (RFC 6749 §4.1.2), 60s at most.',
  ),
  par_lifetime: duration('60s', { min: '5s', max: '600s' }).describe(
    'Lifetime of a `request_uri` (RFC 9126 §2.2), 600s at most. A browser that came in time may take `state_max_age`.',
  ),
  require_pushed_authorization_requests: flag(false).describe(
    'Refuse an authorization request that was not pushed (RFC 9126 §5), from every client.',
  ),
  refresh_reuse_window: duration('10s', { max: '60s' }).describe(
    'Time in which a repeated refresh gets the same successor instead of revoking the family (RFC 9700 §4.14.2); 0 is strict.',
  ),
  default_resource: optionalText().describe(
    'Resource (slug or URI) that a request without `resource` is for (RFC 8707 §2). Empty: the authorization server itself.',
  ),
  refresh_absolute_lifetime: duration('2160h', { min: '1s' }).describe(
    'Age at which a refresh token family ends, however often it was renewed.',
  ),
});

export const dpop = section({
  enabled: flag(true).describe('Bind tokens to the key of a DPoP proof (RFC 9449). Off: the header is ignored.'),
  require: flag(false).describe('Refuse every token request without a proof, so that no bearer token is issued.'),
  nonce_ttl: duration('60s', { min: '1s' }).describe('Lifetime of a server nonce (RFC 9449 §8).'),
  proof_lifetime: duration('60s', { min: '10s', max: '300s' }).describe('Age a proof may have (RFC 9449 §11.1).'),
  require_nonce: flag(false).describe('Demand a server nonce in every proof (RFC 9449 §8).'),
});

export const tokenExchange = section({
  enabled: flag(true).describe('Offer token exchange (RFC 8693).'),
  allow_self_exchange: flag(false).describe(
    'Let a client exchange its own token without naming a target, for one with the same audience, and for another resource without the consent of the user there.',
  ),
  max_chain_depth: integer(5, { min: 1, max: 10 }).describe(
    'Longest chain of `act` claims (RFC 8693 §4.1), and how often in a row a token may be exchanged.',
  ),
  max_children: integer(500, { min: 0, max: 100_000 }).describe(
    'Live tokens that may come of one subject token directly; 0: any number.',
  ),
  token_expiry: duration('1h', { min: '1s' }).describe(
    'Lifetime of an exchanged token; it never outlives the token it comes of.',
  ),
});

export const agents = section({
  enable_jwks_listing: flag(false).describe(
    'Add an `agents` array to the JWKS document: the active agents that an operator registered.',
  ),
});

const redirectBase = (value: string) => {
  const url = URL.parse(value);
  const local = url?.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  return url?.protocol === 'https:' || local ? undefined : 'expected an https URL, or http on localhost';
};

export const connect = section({
  state_secret: secret(atLeast(32)).describe('Key of the state sent to upstream providers, at least 32 characters.'),
  redirect_base_url: optionalText(redirectBase, 'url').describe(
    'Base of the redirect URI given to upstream providers.',
  ),
  allowed_return_urls: list([], httpUrl).describe('Where a finished connect flow may return, for every resource.'),
}).meta({ reserved: true });

const Vouching = z.strictObject({
  client_id: requiredText().describe('Client here that may ask for assertions about its users.'),
  audience: requiredText(httpUrl).describe('Issuer of the authorization server they are for.'),
  audience_client_id: optionalText().describe('What the client is called there; as here unless said.'),
  resources: list([], httpUrl).describe('Resources they may be for. Empty: any.'),
  scopes: list([], scopeToken).describe('Scopes they may name at most. Empty: any.'),
});

export const xaa = section({
  enabled: flag(true).describe(
    'Manage trusted identity providers, XAA policies and subject mappings, and give tokens for their assertions (ID-JAG, RFC 7523).',
  ),
  allow_private_addresses: flag(false).describe(
    'Fetch metadata and keys of identity providers from private addresses too, for one inside your network. On a localhost issuer it is always so.',
  ),
  token_expiry: duration('1h', { min: '1s' }).describe('Lifetime of a token granted for an assertion.'),
  max_assertion_age: duration('5m', { min: '1s' }).describe('Age an assertion may have, by its `iat`.'),
  jwks_cache_ttl: duration('1h', { min: '1s' }).describe(
    'Time the keys of an identity provider are kept; while it cannot be reached, up to twice as long.',
  ),
  require_resource: flag(false).describe('Refuse an assertion when neither it nor the request names a `resource`.'),
  subject_mode: choice(['auto_map', 'strict'], 'auto_map').describe(
    'What a subject without a mapping is: somebody known by issuer and subject (`auto_map`), or nobody (`strict`).',
  ),
  vouch_for: z
    .array(Vouching)
    .default([])
    .describe(
      'Assertions (ID-JAG) this server makes about its own users: for which client, at which other authorization server. Empty: none.',
    )
    .meta({ kind: 'list of audiences', fallback: [], env: false }),
});

export const oidc = section({
  enabled: flag(false).describe('Let people sign in at an OpenID provider; see docs/single-sign-on.md.'),
  issuer: optionalText(httpUrl, 'url').describe(
    'Issuer of the provider, byte for byte as its metadata says it; https unless it is on localhost.',
  ),
  client_id: optionalText().describe('Our client id at the provider.'),
  client_secret: secret().describe('Our client secret there; exactly one of this and `client_secret_ref`.'),
  client_secret_ref: optionalText(secretReference, 'env name').describe(
    'Environment variable (`CONNECTOR_*`, `AUTHPLANE_VAULT_*`) that holds the client secret, or with `_FILE` behind its name the file that does.',
  ),
  redirect_uri: optionalText(httpUrl, 'url').describe(
    'Our redirect URI at the provider. It can only be the issuer of this server and `/oidc/callback`, and is that when left out.',
  ),
  scopes: list(['openid', 'email', 'profile'], scopeToken).describe('Scopes asked of the provider; one is `openid`.'),
  display_name: optionalText().describe('What the button says after “Continue with”; “single sign-on” when left out.'),
  show_local_login: flag(true).describe('Offer passwords too; false answers `POST /login` with 404.'),
  include_groups_scope: flag(true).describe(
    'Also ask for `groups`, of a provider that lists it. Nothing is made of groups in this release.',
  ),
  connector_id: optionalText((value) =>
    /^[A-Za-z0-9-]+$/.test(value) ? undefined : 'expected letters, digits and -',
  ).describe('Sent to the provider as `connector_id`, which preselects a connector of Dex.'),
  allow_private_addresses: flag(false).describe(
    'Go to the provider at private addresses too, for one inside your network. On a localhost issuer it is always so.',
  ),
});
