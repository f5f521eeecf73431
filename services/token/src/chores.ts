import type { Config } from '@authserver/config';
import { deleteExpiredAttempts } from '@authserver/replay';
import {
  type Database,
  deleteOldChanges,
  deviceCodesPurge,
  type PurgeStep,
  shortLived,
  unusedClients,
} from '@authserver/store';
import type { AuditRepeats } from './audit/repeats.ts';
import type { ClientUse } from './clients/client-use.ts';
import type { Chore } from './housekeeping.ts';

type ChoresDeps = { database: Database; config: Config; clientUse: ClientUse; repeats: AuditRepeats };

/**
 * What is over and may go without anybody asking, a line a table: rows that strangers can make, and rows that live for
 * minutes. The rest, and these as well, goes with `authserver purge`.
 */
export const listChores = ({ database, config, clientUse, repeats }: ChoresDeps): Chore[] => {
  const purging = (step: PurgeStep): Chore => ({
    name: step.table,
    run: async (now, limit) => (await step.deleteSome(database, { now, limit })).deleted,
  });
  return [
    clientUse.write,
    repeats.write,
    ...unusedClients(config).map(purging),
    purging(deviceCodesPurge(config)),
    purging(shortLived.pushedRequests),
    purging(shortLived.dpopProofs),
    purging(shortLived.clientAssertions),
    purging(shortLived.idJags),
    purging(shortLived.consentAnswers),
    purging(shortLived.providerAnswers),
    {
      name: 'sign-in attempts',
      run: (_now, limit) => deleteExpiredAttempts(database, limit, config.rate_limit.max_tracked_identities),
    },
    purging(shortLived.connectionEvents),
    {
      name: 'changes',
      run: (now, limit) => deleteOldChanges(database, { now, limit, keepSeconds: config.changes.retention }),
    },
  ];
};
