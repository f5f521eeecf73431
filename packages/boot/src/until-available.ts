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
  options: {
    signal: AbortSignal;
    onAway: (error: Error, retryMs: number) => void;
    /** What was away when somebody tried before: the first try comes after a pause. */
    away?: Error | undefined;
  },
): Promise<T> => {
  const { signal, onAway } = options;
  let { away } = options;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal.throwIfAborted();
    try {
      if (!away) return await work();
    } catch (error) {
      if (!isAway(error)) throw error;
      away = error;
    }
    if (away) onAway(away, pauseMs);
    away = undefined;
    await pause(pauseMs, undefined, { signal });
  }
};

/** Whether waiting may mend it. */
export const isAway = (error: unknown): error is Error =>
  (error instanceof StoreUnavailable && !(error instanceof StoreRefused)) ||
  (error instanceof SigningUnavailable && error.failure === 'unreachable') ||
  (error instanceof Error && error.cause !== undefined && isAway(error.cause));
