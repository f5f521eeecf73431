import { expiring } from './expiring.ts';
import type { PurgeSettings, PurgeStep } from './target.ts';

const daySeconds = 86_400;

const singleUse = (name: string, kind: string): PurgeStep =>
  expiring({
    table: 'single_use',
    name: `single_use_${name}`,
    column: 'expires_at',
    where: `kind = '${kind}'`,
    byDatabaseClock: true,
  });

/** Rows that carry the time they are over. The token service deletes some of them by itself, about every minute. */
export const shortLived = {
  dpopProofs: singleUse('dpop_proof', 'dpop_proof'),
  clientAssertions: singleUse('client_assertion', 'client_assertion'),
  idJags: singleUse('id_jag', 'id_jag'),
  consentAnswers: singleUse('consent_answer', 'consent_answer'),
  providerAnswers: singleUse('provider_answer', 'provider_answer'),
  connectPendingStates: expiring({ table: 'connect_pending_states', column: 'expires_at' }),
  refreshTokens: expiring({ table: 'refresh_tokens', column: 'expires_at' }),
  browserSessions: expiring({ table: 'browser_sessions', column: 'expires_at' }),
  // A code that comes a second time ends what the first use produced (RFC 6749 §4.1.2), so it is known for a while.
  authorizationCodes: expiring({ table: 'authorization_codes', column: 'expires_at', keepSeconds: daySeconds }),
  pushedRequests: expiring({ table: 'pushed_requests', column: 'kept_until' }),
  connectionEvents: expiring({ table: 'connection_events', column: 'at', keepSeconds: daySeconds }),
} satisfies Record<string, PurgeStep>;

/** A device that asks late should hear that its code has expired, not that there was none. */
export const deviceCodes = ({ device }: Pick<PurgeSettings, 'device'>): PurgeStep =>
  expiring({ table: 'device_codes', column: 'expires_at', keepSeconds: device.code_ttl });
