/** A token bucket: `burst` tokens, of which `ratePerSecond` come back every second. */
export type Budget = { ratePerSecond: number; burst: number };

export type Verdict = {
  allowed: boolean;
  /** Size of the bucket. */
  limit: number;
  /** Tokens left. */
  remaining: number;
  /** Whole seconds until it is full again. */
  resetSeconds: number;
  /** Whole seconds until what was asked for would be allowed; 0 when it was. */
  retryAfterSeconds: number;
};

/** A budget in the terms it is reckoned in, all milliseconds: what a token takes to come back, and a whole bucket. */
export type Pace = { limit: number; emissionMs: number; capacityMs: number };

export const paceOf = ({ ratePerSecond, burst }: Budget): Pace => ({
  limit: burst,
  emissionMs: 1000 / ratePerSecond,
  capacityMs: (burst * 1000) / ratePerSecond,
});

/** The answer, given how many milliseconds the bucket needs to be full. */
export const verdictOf = (pace: Pace, allowed: boolean, untilFullMs: number, cost: number): Verdict => ({
  allowed,
  limit: pace.limit,
  remaining: Math.max(0, Math.floor((pace.capacityMs - untilFullMs) / pace.emissionMs + 1e-6)),
  resetSeconds: Math.ceil(untilFullMs / 1000),
  retryAfterSeconds: allowed
    ? 0
    : Math.max(1, Math.ceil((untilFullMs + cost * pace.emissionMs - pace.capacityMs) / 1000)),
});

/** The buckets of one limit in this process. */
export type Buckets = {
  take(key: string, cost: number): Verdict;
  /** Milliseconds until the bucket of `key` is full, as somebody who knows better says. */
  learn(key: string, untilFullMs: number): void;
  /** Buckets kept in memory, at most twice `most`. */
  size(): number;
};

/**
 * A bucket is one number: the moment it will be full again. One that is full needs no memory, so nothing has to be
 * searched for what to forget: buckets live in two generations, each as long as an empty bucket takes to fill. What was
 * last touched in the one before the last is full by now, and the whole map goes at once.
 *
 * Beyond `most` keys a generation ends early. Somebody with that many addresses can so make the server forget; it never
 * grows.
 */
export const createBuckets = (pace: Pace, most: number, nowMs: () => number = () => performance.now()): Buckets => {
  let young = new Map<string, number>();
  let old = new Map<string, number>();
  let turnedAt = nowMs();

  const turn = (now: number): void => {
    const idle = now - turnedAt;
    if (idle < pace.capacityMs && young.size < most) return;
    old = idle < 2 * pace.capacityMs ? young : new Map();
    young = new Map();
    turnedAt = now;
  };

  return {
    take(key, cost) {
      const now = nowMs();
      turn(now);
      const full = Math.max(now, young.get(key) ?? old.get(key) ?? 0);
      const after = full + cost * pace.emissionMs;
      if (after - now > pace.capacityMs + 0.001) return verdictOf(pace, false, full - now, cost);
      young.set(key, after);
      return verdictOf(pace, true, after - now, cost);
    },
    learn(key, untilFullMs) {
      const now = nowMs();
      turn(now);
      young.set(key, now + untilFullMs);
    },
    size: () => young.size + old.size,
  };
};
