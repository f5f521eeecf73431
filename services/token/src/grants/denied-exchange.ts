import type { Client } from '@authserver/store';
import type { AuditRepeats } from '../audit/repeats.ts';

/** A token of ours that was shown. */
export type ShownToken = {
  /** The `jti` of an access token; the family of a refresh token. */
  id: { jti: string } | { family_id: string };
  subject: string;
  clientId: string;
};

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
      details: { reason, ...shown.id, subject: shown.subject, subject_client: shown.clientId },
    },
    { group: client.clientId, member: `${Object.values(shown.id)[0]} ${reason}` },
  );
};
