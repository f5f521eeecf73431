import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is leased. Closed, so that leases need no cleaning up. */
export type LeaseName = 'housekeeping';

/** Where leases are kept, by the clock of that place alone. Each call is one atomic step there. */
export type LeaseStore = {
  /** The fencing token if `owner` has the lease now, whether it had it before or not; `undefined` if somebody else has. */
  take(name: LeaseName, owner: string, ttlMs: number): Promise<number | undefined>;
  /** False if it is not, or no longer, this owner's. */
  renew(name: LeaseName, owner: string, ttlMs: number): Promise<boolean>;
  release(name: LeaseName, owner: string): Promise<void>;
};

/**
 * The right to do something alone, for as long as it is renewed, which happens by itself.
 *
 * It is a means against doing work twice, not the last word on who may: the store may lose its data, and a process may
 * stand still between looking at `held` and acting. What must never happen twice is decided where it is written, by a
 * condition of its own or by comparing `token`.
 */
export type Lease = {
  /** Greater than that of every earlier owner. */
  token: number;
  /** Asked before each step: false from the moment somebody else may have it. Needs no timer, so a pause cannot fool it. */
  readonly held: boolean;
  /** Aborted when it is lost. */
  signal: AbortSignal;
  /** Gives it back at once, if it is still ours. Never throws: it ends by itself anyway. */
  release(): Promise<void>;
};

export type Leases = {
  /**
   * The lease, or `undefined` when somebody else still has it after `waitMs` (0 unless given).
   *
   * @throws when nobody can say who has it
   */
  acquire(name: LeaseName, options: { ttlMs: number; waitMs?: number }): Promise<Lease | undefined>;
};

/** Our share of the time the store gives: it counts from when it answered, we from when we asked, and no two clocks run alike. */
const trusted = 0.9;

export const createLeases = (store: LeaseStore): Leases => ({
  async acquire(name, { ttlMs, waitMs = 0 }) {
    const owner = randomUUID();
    const patience = performance.now() + waitMs;
    for (;;) {
      const askedAt = performance.now();
      const token = await store.take(name, owner, ttlMs).catch((error: unknown) => {
        // It may be ours all the same, and then nobody could have it until it ends.
        store.release(name, owner).catch(() => {});
        throw error;
      });
      if (token !== undefined) return hold(store, { name, owner, ttlMs, token, askedAt });
      const left = patience - performance.now();
      if (left <= 0) return undefined;
      await sleep(Math.min(left, Math.max(20, ttlMs / 20) * (0.5 + Math.random())));
    }
  },
});

type Taken = { name: LeaseName; owner: string; ttlMs: number; token: number; askedAt: number };

const hold = (store: LeaseStore, { name, owner, ttlMs, token, askedAt }: Taken): Lease => {
  const lost = new AbortController();
  let endsAt = askedAt + ttlMs * trusted;
  let timer: NodeJS.Timeout | undefined;

  const end = (): void => {
    clearTimeout(timer);
    lost.abort();
  };
  const renew = async (): Promise<void> => {
    const sentAt = performance.now();
    // No answer is no loss yet: the store may be back before the time is over.
    const ours = await store.renew(name, owner, ttlMs).catch(() => undefined);
    if (lost.signal.aborted) return;
    if (ours === true) endsAt = sentAt + ttlMs * trusted;
    if (ours === false || performance.now() >= endsAt) return end();
    plan(ours ? ttlMs / 3 : ttlMs / 10);
  };
  /** Whatever comes first: the next renewal, or the end. */
  const plan = (inMs: number): void => {
    const left = endsAt - performance.now();
    timer = left <= inMs ? setTimeout(end, Math.max(0, left)) : setTimeout(renew, inMs);
    timer.unref();
  };
  plan(ttlMs / 3);

  return {
    token,
    signal: lost.signal,
    get held() {
      return !lost.signal.aborted && performance.now() < endsAt;
    },
    async release() {
      end();
      await store.release(name, owner).catch(() => {});
    },
  };
};
