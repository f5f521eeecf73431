import { VaultError } from './errors.ts';

/** So many failures in a row, and calls fail at once for a while instead of waiting for each other's time limit. */
const tolerated = 5;
const firstPauseMs = 250;
/** Somebody finds out after at most this time that Vault is back. */
const longestPauseMs = 4_000;

export type Breaker = {
  /** @throws {VaultError} `unavailable` without doing the work, while Vault is known not to answer */
  run<T>(path: string, work: () => Promise<T>): Promise<T>;
};

/** Keeps calls away from a Vault that does not answer; after each pause one of them finds out whether it does again. */
export const createBreaker = (now: () => number = () => performance.now()): Breaker => {
  let failures = 0;
  let pauseMs = firstPauseMs;
  let closedUntil = 0;
  let probing = false;

  return {
    async run(path, work) {
      const isProbe = failures >= tolerated;
      if (isProbe && (probing || now() < closedUntil))
        throw new VaultError('unavailable', `Vault: ${path}: not asked, because Vault did not answer just now`);
      probing = isProbe;
      try {
        const result = await work();
        failures = 0;
        return result;
      } catch (error) {
        if (!(error instanceof VaultError) || error.failure !== 'unavailable') {
          failures = 0; // it answered
        } else {
          failures += 1;
          pauseMs = isProbe ? Math.min(pauseMs * 2, longestPauseMs) : firstPauseMs;
          closedUntil = now() + pauseMs;
        }
        throw error;
      } finally {
        if (isProbe) probing = false;
      }
    },
  };
};
