import { z } from 'zod';

export const DcrMode = z.enum(['open', 'approved_redirects', 'admin_only']);
export const DcrSettings = z
  .strictObject({ mode: DcrMode.describe('Who may register a client (RFC 7591).') })
  .meta({ id: 'DcrSettings' });

export const Stats = z
  .object({
    clients: z.int(),
    users: z.int(),
    active_tokens_24h: z
      .int()
      .describe('Tokens issued in the last 24 hours and not revoked since, by whatever revokes one.'),
    revoked_tokens: z
      .int()
      .describe(
        'Tokens issued in the last 24 hours and revoked since: themselves, or by the end of their family, consent, client, user or resource.',
      ),
    connections: z.int().describe('Accounts at upstream providers that users connected and did not take back.'),
  })
  .meta({ id: 'Stats' });

export const SystemStatus = z
  .object({
    version: z.string(),
    uptime: z.string().describe('For people, such as `1d 2h 3m 4s`.'),
    uptime_secs: z.int(),
    subsystems: z.array(
      z.object({
        name: z.enum(['storage', 'migrations', 'change_feed', 'signing', 'encryption', 'redis']),
        status: z.enum(['healthy', 'unhealthy', 'not_configured']),
        driver: z.string().optional(),
        detail: z.string().optional().describe('What it said, or what to do, for people.'),
      }),
    ),
  })
  .meta({ id: 'SystemStatus' });

const enabled = z.boolean();
const seconds = z.number().describe('Seconds.');

export const Notice = z
  .object({
    id: z.string(),
    severity: z.enum(['info', 'warning']),
    title: z.string(),
    body: z.string(),
    docs_url: z.string().optional(),
  })
  .meta({ id: 'Notice' });

/** What is configured, and what an operator should know of it. An allow list: nothing secret has a member here. */
export const SystemConfig = z
  .object({
    issuer: z.string(),
    storage: z.object({ driver: z.string() }),
    redis: z.object({ enabled }),
    signing: z.object({
      algorithm: z.string(),
      key_store: z.string(),
      rotation_interval: z.number().describe('Seconds; 0 is off.'),
    }),
    encryption: z.object({ driver: z.string().describe('Empty when there is none.') }),
    oauth: z.object({
      require_scope: z.boolean(),
      default_client_scope: z.string(),
      default_resource: z.string(),
      require_pushed_authorization_requests: z.boolean(),
      code_ttl: seconds,
      refresh_reuse_window: seconds,
      refresh_absolute_lifetime: seconds,
    }),
    dcr: z.object({
      mode: DcrMode.describe('The mode in effect.'),
      approved_redirects: z.array(z.string()),
      default_token_expiry: seconds,
      default_refresh_expiry: seconds,
    }),
    cimd: z.object({
      enabled,
      require_https: z.boolean(),
      allow_private_addresses: z.boolean(),
      cache_ttl: seconds,
    }),
    client_credentials: z.object({ enabled, token_expiry: seconds }),
    device: z.object({ enabled, code_ttl: seconds }),
    dpop: z.object({
      enabled,
      require: z.boolean(),
      require_nonce: z.boolean(),
      nonce_ttl: seconds,
      proof_lifetime: seconds,
    }),
    token_exchange: z.object({
      enabled,
      allow_self_exchange: z.boolean(),
      max_chain_depth: z.int(),
      max_children: z.int(),
      token_expiry: seconds,
    }),
    agents: z.object({ enabled, jwks_listing: z.boolean() }),
    oidc: z.object({
      enabled,
      issuer: z.string().describe('Of the OpenID provider people sign in at.'),
      client_id: z.string(),
      scopes: z.array(z.string()),
      show_local_login: z.boolean(),
    }),
    xaa: z.object({
      enabled: enabled.describe('Identity providers, policies and mappings can be managed.'),
      allow_private_addresses: z.boolean(),
      grant: z.boolean().describe('Assertions of identity providers become tokens.'),
      token_expiry: seconds,
      max_assertion_age: seconds,
      jwks_cache_ttl: seconds,
      require_resource: z.boolean(),
      subject_mode: z.enum(['auto_map', 'strict']),
    }),
    rate_limit: z.object({
      enabled,
      requests_per_second: z.number(),
      burst: z.number(),
      auth_fail_max: z.number(),
      auth_fail_window: seconds,
      auth_lockout: seconds,
    }),
    session: z.object({ max_age: seconds, secure: z.boolean(), same_site: z.string(), fail_closed: z.boolean() }),
    admin: z.object({
      requests_per_second: z.number(),
      burst: z.number(),
      audit_default_lookback: seconds,
      audit_max_lookback: seconds,
    }),
    notices: z.array(Notice),
  })
  .meta({ id: 'SystemConfig' });
