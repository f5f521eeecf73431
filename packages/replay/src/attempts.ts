/** What attempts are counted under: a hash, and how many may fail in one window. */
export type AttemptKey = { hash: Buffer; max: number };

/** The two budgets an attempt uses: of this identity from this address, and of the address whatever the identity. */
export type AttemptKeys = readonly [pair: AttemptKey, address: AttemptKey];

/** Lengths in seconds. */
export type AttemptRules = { windowSeconds: number; lockoutSeconds: number };

export type Reservation =
  | { allowed: false; until: Date; waitMs: number }
  | {
      allowed: true;
      /** The end of the lockout that begins with this attempt, should it fail: it was the last one of that budget. */
      lockedUntil: readonly [pair: Date | undefined, address: Date | undefined];
      /** The credentials were right: the pair starts anew, and the address has lost nothing. */
      succeed(): Promise<void>;
      /** Nothing was learned, because something of ours failed: as if it had not been. */
      release(): Promise<void>;
    };

/**
 * Failed attempts, counted for all pods together.
 *
 * An attempt is counted before its credentials are looked at and given back if they were right. Counting afterwards would
 * let through as many as can be under way at once.
 *
 * Windows and lockouts run by the clock of the store: one pod whose own is wrong neither ends nor prolongs them.
 */
export type Attempts = {
  reserve(keys: AttemptKeys): Promise<Reservation>;
};

/**
 * Attempts in Redis, or in PostgreSQL while Redis is away. Signing in needs PostgreSQL anyway, so an outage of Redis costs
 * the counts it held and locks nobody out.
 */
export const attemptsWithFallback = (first: Attempts, second: Attempts): Attempts => ({
  reserve: (keys) => first.reserve(keys).catch(() => second.reserve(keys)),
});
