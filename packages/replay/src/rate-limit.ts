import { type Buckets, type Budget, createBuckets, type Pace, paceOf, type Verdict, verdictOf } from './buckets.ts';
import type { RedisConnection } from './redis.ts';

/** One limit: a bucket for each key. */
export type Limit = {
  /**
   * Asks and takes. With Redis one round trip, exact over all pods; without, or while Redis is away, from this pod's own
   * buckets. Never throws.
   */
  take(key: string, cost?: number): Promise<Verdict>;
  /**
   * Decides at once from what this pod knows. With Redis it tells the others afterwards and learns what they took, so a
   * key that is used on several pods at the same moment may get some milliseconds' worth too much, and pays it back.
   */
  takeNow(key: string): Verdict;
};

export type RateLimiter = {
  /** A named limit. The name is part of the key in Redis; it must be the same on every pod. */
  limit(name: string, budget: Budget): Limit;
};

export type RateLimiterOptions = {
  /** Shares the buckets with the other pods; without it each pod has its own. */
  redis?: RedisConnection | undefined;
  /** Most keys a limit remembers in this process. */
  maxKeys: number;
  /** What a key is called outside this process: addresses and names must not be readable there. */
  pseudonym: (key: string) => string;
};

export const createRateLimiter = ({ redis, maxKeys, pseudonym }: RateLimiterOptions): RateLimiter => ({
  limit(name, budget) {
    const pace = paceOf(budget);
    const buckets = createBuckets(pace, Math.ceil(maxKeys / 2));
    if (!redis)
      return { take: async (key, cost = 1) => buckets.take(key, cost), takeNow: (key) => buckets.take(key, 1) };
    const shared = createSharedBuckets(redis, pace, (key) => `${redis.prefix}limit:${name}:${pseudonym(key)}`);
    const share = createSharing(buckets, shared, pace);
    return {
      take: (key, cost = 1) =>
        shared.charge(key, cost, false).then(
          ([allowed, untilFullMs]) => verdictOf(pace, allowed, untilFullMs, cost),
          () => buckets.take(key, cost),
        ),
      takeNow(key) {
        const verdict = buckets.take(key, 1);
        if (verdict.allowed) share(key);
        return verdict;
      },
    };
  },
});

type SharedBuckets = {
  charge(key: string, cost: number, force: boolean): Promise<[allowed: boolean, untilFullMs: number]>;
};

const createSharedBuckets = (redis: RedisConnection, pace: Pace, nameOf: (key: string) => string): SharedBuckets => ({
  async charge(key, cost, force) {
    const [allowed, untilFullMs] = await redis.run('limit', (client) =>
      client.chargeBucket(nameOf(key), pace.emissionMs, pace.capacityMs, cost, force ? 1 : 0),
    );
    return [allowed === 1, Number(untilFullMs)];
  },
});

/** How often this pod compares notes, and how many keys it does that for at once. */
const sharingMs = 10;
const mostShared = 10_000;

/**
 * Adds up what was taken and charges it to the shared bucket a hundred times a second, one command a key: a request waits
 * for nothing, and a flood from one address costs Redis no more than a trickle.
 */
const createSharing = (buckets: Buckets, shared: SharedBuckets, pace: Pace): ((key: string) => void) => {
  let taken = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const exchange = async (key: string, cost: number): Promise<void> => {
    try {
      const [, untilFullMs] = await shared.charge(key, cost, true);
      buckets.learn(key, untilFullMs + (taken.get(key) ?? 0) * pace.emissionMs);
    } catch {
      // Without Redis every pod has a budget of its own: more than was meant, and never unlimited.
    }
  };
  const flush = async (): Promise<void> => {
    const batch = taken;
    taken = new Map();
    await Promise.all(Array.from(batch, ([key, cost]) => exchange(key, cost)));
    timer = undefined;
    if (taken.size > 0) schedule();
  };
  const schedule = (): void => {
    timer = setTimeout(flush, sharingMs);
    timer.unref();
  };

  return (key) => {
    const before = taken.get(key);
    if (before === undefined && taken.size >= mostShared) return;
    taken.set(key, (before ?? 0) + 1);
    if (!timer) schedule();
  };
};
