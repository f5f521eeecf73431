import { purgeTargetNames } from '@authserver/telemetry';
import { auditMonths } from './audit-events.ts';
import { delegationUses } from './delegation-uses.ts';
import { families } from './families.ts';
import { issuanceMonths, machineTokens } from './issuances.ts';
import { revocationMarkers } from './revocation-markers.ts';
import { deviceCodes, shortLived } from './short-lived.ts';
import type { PurgeSettings, PurgeStep, PurgeTarget } from './target.ts';
import { unusedClients } from './unused-clients.ts';

/** Everything that may go, in the order it goes. What each target is in words: docs/purge.md. */
export const purgeTargets = (settings: PurgeSettings): PurgeTarget[] => {
  const steps: Record<(typeof purgeTargetNames)[number], readonly PurgeStep[]> = {
    'assertion-jti': [shortLived.clientAssertions, shortLived.idJags],
    'audit-events': [auditMonths(settings.retention.audit_events)],
    'connect-pending-states': [shortLived.connectPendingStates],
    'delegation-uses': [delegationUses],
    'dpop-nonces': [shortLived.dpopProofs],
    families: families(settings.retention.families),
    issuances: [issuanceMonths(settings.retention.issuances)],
    jti: [revocationMarkers],
    'machine-tokens': [machineTokens(settings.retention.issuances)],
    'refresh-tokens': [shortLived.refreshTokens],
    sessions: [
      shortLived.browserSessions,
      shortLived.authorizationCodes,
      shortLived.pushedRequests,
      shortLived.consentAnswers,
      shortLived.providerAnswers,
      deviceCodes(settings),
    ],
    'unused-clients': unusedClients(settings),
  };
  return purgeTargetNames.map((name) => ({ name, steps: steps[name] }));
};
