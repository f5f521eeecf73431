import { type Pace, type PurgeResult, purge, purgeTargets } from '@authserver/store';
import type { PurgeTargetName } from '@authserver/telemetry';
import type { AuthServer } from './auth-server.ts';

/** Deletes what is over by the clock of the server, as `authserver purge` does by that of the machine. */
export const purgeNow = async (
  server: AuthServer,
  only?: readonly PurgeTargetName[],
  options: { pace?: Partial<Pace>; signal?: AbortSignal; onDeleted?: (rows: number) => void } = {},
): Promise<PurgeResult[]> => {
  const outcome = await purge({
    dsn: server.dsn,
    targets: purgeTargets(server.config).filter(({ name }) => only === undefined || only.includes(name)),
    now: () => server.clock.now(),
    signal: options.signal ?? new AbortController().signal,
    pace: { rest: 0, leastRestMs: 0, ...options.pace },
    onDeleted: (_target, rows) => options.onDeleted?.(rows),
  });
  if (typeof outcome === 'string') throw new Error(`nothing was purged: ${outcome}`);
  return outcome;
};
