import { z } from 'zod';
import { Id, page, plainText, Timestamp } from './fields.ts';

export const DcrMode = z.enum(['open', 'approved_redirects', 'admin_only']);
export const DcrSettings = z
  .strictObject({ mode: DcrMode.describe('Who may register a client (RFC 7591).') })
  .meta({ id: 'DcrSettings' });

export const Stats = z
  .object({
    clients: z.int(),
    users: z.int(),
    active_tokens_24h: z.int().describe('Tokens issued in the last 24 hours and not revoked themselves.'),
    revoked_tokens: z.int().describe('Tokens issued in the last 24 hours and revoked themselves.'),
    connections: z.literal(0).describe('Upstream connections; this release has none.'),
  })
  .meta({ id: 'Stats' });

export const SystemStatus = z
  .object({
    version: z.string(),
    uptime: z.string().describe('For people, such as `1d 2h 3m 4s`.'),
    uptime_secs: z.int(),
    subsystems: z.array(
      z.object({
        name: z.enum(['storage', 'signing', 'encryption']),
        status: z.enum(['healthy', 'unhealthy', 'not_configured']),
        driver: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'SystemStatus' });

const Toggle = z.object({ enabled: z.boolean() });

/** What is configured, without anything secret. */
export const SystemConfig = z
  .object({
    issuer: z.string(),
    storage: z.object({ driver: z.string() }),
    signing: z.object({ algorithm: z.string(), key_store: z.string() }),
    dcr: z.object({ mode: DcrMode }),
    client_credentials: Toggle,
    dpop: z.object({ enabled: z.boolean(), require: z.boolean(), require_nonce: z.boolean() }),
    oauth: z.object({ require_scope: z.boolean(), default_client_scope: z.string() }),
  })
  .meta({ id: 'SystemConfig' });

export const ListAuditEvents = z.strictObject({
  action: Id.optional(),
  actor_id: Id.optional(),
  client_id: plainText(2000).optional(),
  since: z.iso.datetime({ offset: true }).optional().describe('RFC 3339; the configured look-back by default.'),
  until: z.iso.datetime({ offset: true }).optional().describe('RFC 3339; after `since`.'),
  ...page({ default: 50, max: 1000 }),
});

export const AuditEventView = z
  .object({
    id: z.string(),
    action: z.string(),
    actor_id: z.string().nullable(),
    client_id: z.string().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    request_id: z.string().nullable(),
    trace_id: z.string().nullable(),
    detail: z.string().describe('The members of `details` as key=value, for people.'),
    details: z.record(z.string(), z.unknown()),
    created_at: Timestamp,
  })
  .meta({ id: 'AuditEvent' });
