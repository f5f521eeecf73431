import { setTimeout as pause } from 'node:timers/promises';
import { SigningUnavailable } from '@authserver/keys';
import { StoreRefused, StoreUnavailable } from '@authserver/store';

const firstPauseMs = 500;
const longestPauseMs = 5_000;

/**
 * Does `work`, and again for as long as the database cannot be reached, is starting, full or in the way of a migration, or
 * the home of the first keys does not answer. What waiting does not mend is thrown at once: a wrong password, a database
 * that does not exist, an edited migration.
 *
 * @throws {AbortError} when `signal` says that nobody waits any more
 */
export const untilAvailable = async <T>(
  work: () => Promise<T>,
  { signal, onAway }: { signal: AbortSignal; onAway: (error: Error, retryMs: number) => void },
): Promise<T> => {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isAway(error)) throw error;
      onAway(error as Error, pauseMs);
    }
    await pause(pauseMs, undefined, { signal });
  }
};

const isAway = (error: unknown): boolean =>
  (error instanceof StoreUnavailable && !(error instanceof StoreRefused)) ||
  (error instanceof SigningUnavailable && error.failure === 'unreachable') ||
  (error instanceof Error && error.cause !== undefined && isAway(error.cause));
