/** Asks, and decides for each answer whether it is what should have come. */

import type { Answer } from '../support/test-app.ts';
import type { Disturbances, RequestKind } from './disturbances.ts';
import { type Failure, failureHeader } from './network/balancer.ts';
import type { Tally } from './tally.ts';
import type { Violations } from './violations.ts';

/** There is no answer of substance, and that is all right: nobody knows whether the request had an effect. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  /** The pod has the request and said nothing, as one does that is frozen: it may carry it out at any later time. */
  readonly isHeld: boolean;

  constructor(message: string, options: { isHeld?: boolean } = {}) {
    super(message);
    this.isHeld = options.isHeld ?? false;
  }
}

/** The answer is one that must not be. It has been recorded; whoever was doing something gives up. */
export class Violated extends Error {
  override readonly name = 'Violated';
}

export type Expectation = {
  kind: RequestKind;
  /** The pod that was asked through its own door. */
  pod?: string | undefined;
  /** 200 unless said. */
  statuses?: readonly number[];
  /** Codes of OAuth errors that are right as well, as `error` has them. Under bad clocks `invalid_grant` always is. */
  denials?: readonly string[];
};

type Heard = Pick<Answer<unknown>, 'status' | 'headers' | 'body'>;

export type Judge = {
  /** @throws {Unavailable} @throws {Violated} */
  ask<A extends Heard>(expectation: Expectation, send: () => Promise<A>): Promise<A>;
};

export type JudgeDeps = {
  disturbances: Disturbances;
  violations: Violations;
  tally: Tally;
  /** Resolves when the next request may go out. */
  pace: () => Promise<void>;
};

export const createJudge = ({ disturbances, violations, tally, pace }: JudgeDeps): Judge => ({
  async ask(expectation, send) {
    const { kind, pod, statuses = [200], denials = [] } = expectation;
    await pace();
    const from = performance.now();
    const answer = await send();
    const now = performance.now();
    const failure = answer.headers.get(failureHeader);
    tally.count(kind, failure ?? String(answer.status), now - from, pod);
    const where = `${kind} request${pod ? ` to ${pod}` : ''}`;
    violations.checked('own-fault-is-503');
    violations.checked('nothing-fails-in-peace');

    if (statuses.includes(answer.status)) return answer;
    const isOurs = answer.status === 503 && answer.headers.get('retry-after') !== null;
    if (failure !== null || isOurs) {
      if (!disturbances.allows(kind, pod, from, now))
        violations.add(
          'nothing-fails-in-peace',
          `${where}: ${failure ?? '503'} after ${Math.round(now - from)} ms ${excerpt(answer)}`,
        );
      throw new Unavailable(where, { isHeld: failure === ('timeout' satisfies Failure) });
    }
    const { error } = (answer.body ?? {}) as { error?: string };
    if (error !== undefined && denials.includes(error)) return answer;
    if (disturbances.excusesRefusals(from, now)) {
      if (error === 'invalid_grant') return answer;
      throw new Unavailable(where);
    }
    violations.add('own-fault-is-503', `${where}: ${answer.status} ${excerpt(answer)}`);
    throw new Violated(where);
  },
});

const excerpt = ({ body }: Heard): string => JSON.stringify(body).slice(0, 300);

/** Lets so many requests a second go out, evenly. */
export const createPace = (perSecond: number): (() => Promise<void>) => {
  let next = performance.now();
  return async () => {
    const now = performance.now();
    next = Math.max(next, now - 100) + 1000 / perSecond;
    const wait = next - now;
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
  };
};
