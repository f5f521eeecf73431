import type { Client } from '@authserver/store';
import type { AuditRepeats } from '../audit/repeats.ts';

/** A token of ours that was shown, as the trail names it: an access token by itself, a refresh token by its family. */
export type ShownToken = { subject: string; subject_client: string } & ({ jti: string } | { family_id: string });

/** A token in hands that may not exchange it is worth a trace; the same again is counted. */
export const noteDeniedExchange = (
  repeats: AuditRepeats,
  denied: { client: Client; shown: ShownToken; reason: string; now: Date },
): Promise<void> => {
  const { client, shown, reason, now } = denied;
  return repeats.record(
    {
      action: 'token.exchange_denied',
      at: now,
      clientId: client.clientId,
      details: { reason, ...shown },
    },
    { group: client.clientId, member: `${'jti' in shown ? shown.jti : shown.family_id} ${reason}` },
  );
};
