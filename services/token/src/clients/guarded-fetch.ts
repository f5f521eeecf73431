import {
  createLimiter,
  type OutboundClient,
  type OutboundRequest,
  type OutboundResponse,
  Overloaded,
} from '@authserver/outbound';
import type { OutboundPurpose } from '@authserver/telemetry';
import { createBudget } from '../limits/budget.ts';
import type { Clock } from '../time.ts';

/** Why we do not go now. Nothing is wrong with what was asked for; later it may work. */
export class NotFetched extends Error {
  override readonly name = 'NotFetched';
  readonly reason: 'capacity' | 'host_budget';
  constructor(reason: 'capacity' | 'host_budget') {
    super(`not fetched: ${reason}`);
    this.reason = reason;
  }
}

export type GuardedFetch = {
  /**
   * `known`: a person or an operator let in whoever names this URL, so it is no invention to make us knock at a
   * stranger's door.
   *
   * @throws {OutboundError} when there was no answer
   * @throws {NotFetched} when there is too much going on
   */
  get(request: OutboundRequest<OutboundPurpose>, known: boolean): Promise<OutboundResponse>;
};

/**
 * Fetches in moderation. Anybody may name a URL without being asked who they are, so we must not become the crowd that
 * visits somebody: few fetches at once, and few from one host for URLs that nobody has used yet.
 */
export const createGuardedFetch = (deps: {
  outbound: OutboundClient<OutboundPurpose>;
  clock: Clock;
  /** On a developer's own machine there is nobody to protect, and many documents on one host. */
  unlimitedHosts: boolean;
}): GuardedFetch => {
  const room = { inFlight: 16, waiting: 256, waitMs: 2_000 };
  const strangers = createLimiter(room);
  // Apart from them: whoever names hosts that never answer keeps strangers waiting, and nobody who is in already.
  const acquaintances = createLimiter(room);
  const withinBudget = createBudget({ ratePerSecond: 1, burst: 100, maxKeys: 4_096 });
  return {
    async get(request, known) {
      const limited = !known && !deps.unlimitedHosts;
      if (limited && !withinBudget(new URL(request.url).hostname, deps.clock.now().getTime()))
        throw new NotFetched('host_budget');
      return (known ? acquaintances : strangers)
        .run(() => deps.outbound.get(request))
        .catch((error: unknown) => {
          throw error instanceof Overloaded ? new NotFetched('capacity') : error;
        });
    },
  };
};
