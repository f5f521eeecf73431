/** What is configured, named member by member: a setting that is added elsewhere is not shown until somebody adds it here. */
import type { SystemConfig } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import type { z } from 'zod';

type View = z.output<typeof SystemConfig>;

export const systemConfig = (config: Config, dcrMode: Config['dcr']['mode']): View => {
  const { server, storage, signing, oauth, dcr, cimd, dpop, device, rate_limit, admin, session, xaa } = config;
  return {
    issuer: server.issuer,
    storage: { driver: storage.driver },
    redis: { enabled: config.redis.url !== undefined },
    signing: {
      algorithm: signing.algorithm,
      key_store: signing.key_store,
      rotation_interval: signing.rotation_interval,
    },
    encryption: { driver: config.data_encryption.driver ?? '' },
    oauth: {
      require_scope: oauth.require_scope,
      default_client_scope: oauth.default_client_scope ?? '',
      default_resource: oauth.default_resource ?? '',
      require_pushed_authorization_requests: oauth.require_pushed_authorization_requests,
      code_ttl: oauth.code_ttl,
      refresh_reuse_window: oauth.refresh_reuse_window,
      refresh_absolute_lifetime: oauth.refresh_absolute_lifetime,
    },
    dcr: {
      mode: dcrMode,
      approved_redirects: dcr.approved_redirects,
      default_token_expiry: dcr.default_token_expiry,
      default_refresh_expiry: dcr.default_refresh_expiry,
    },
    cimd: {
      enabled: cimd.enabled,
      require_https: cimd.require_https,
      allow_private_addresses: cimd.allow_private_addresses,
      cache_ttl: cimd.cache_ttl,
    },
    client_credentials: {
      enabled: config.client_credentials.enabled,
      token_expiry: config.client_credentials.token_expiry,
    },
    device: { enabled: device.enabled, code_ttl: device.code_ttl },
    dpop: {
      enabled: dpop.enabled,
      require: dpop.require,
      require_nonce: dpop.require_nonce,
      nonce_ttl: dpop.nonce_ttl,
      proof_lifetime: dpop.proof_lifetime,
    },
    token_exchange: {
      enabled: config.token_exchange.enabled,
      allow_self_exchange: config.token_exchange.allow_self_exchange,
      max_chain_depth: config.token_exchange.max_chain_depth,
      max_children: config.token_exchange.max_children,
      token_expiry: config.token_exchange.token_expiry,
    },
    agents: { enabled: config.token_exchange.enabled, jwks_listing: config.agents.enable_jwks_listing },
    oidc: {
      enabled: config.oidc.enabled,
      issuer: config.oidc.issuer ?? '',
      client_id: config.oidc.client_id ?? '',
      scopes: config.oidc.scopes,
      show_local_login: config.oidc.show_local_login,
    },
    xaa: {
      enabled: xaa.enabled,
      allow_private_addresses: xaa.allow_private_addresses,
      grant: xaa.enabled,
      token_expiry: xaa.token_expiry,
      max_assertion_age: xaa.max_assertion_age,
      jwks_cache_ttl: xaa.jwks_cache_ttl,
      require_resource: xaa.require_resource,
      subject_mode: xaa.subject_mode,
    },
    rate_limit: {
      enabled: rate_limit.enabled,
      requests_per_second: rate_limit.requests_per_second,
      burst: rate_limit.burst,
      auth_fail_max: rate_limit.auth_fail_max,
      auth_fail_window: rate_limit.auth_fail_window,
      auth_lockout: rate_limit.auth_lockout,
    },
    session: {
      max_age: session.max_age,
      secure: session.secure,
      same_site: session.same_site,
      fail_closed: session.fail_closed,
    },
    admin: {
      requests_per_second: admin.requests_per_second,
      burst: admin.burst,
      audit_default_lookback: admin.audit_default_lookback,
      audit_max_lookback: admin.audit_max_lookback,
    },
    notices: noticesOf(config, dcrMode),
  };
};

const noticesOf = ({ oauth }: Config, dcrMode: Config['dcr']['mode']): View['notices'] =>
  dcrMode === 'admin_only' || oauth.default_client_scope !== undefined
    ? []
    : [
        {
          id: 'oauth-default-client-scope-required-v0.3.0',
          severity: 'warning',
          title: 'Clients that register themselves may ask for every scope',
          body: `Registration is ${dcrMode} and oauth.default_client_scope is empty. Set it to the scopes such a client may ever be granted, or set the registration mode to admin_only.`,
        },
      ];
