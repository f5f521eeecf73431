/** There was no room in time: too much is under way already. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
}

export type Limiter = {
  /** Runs `work` when there is room. @throws {Overloaded} when there was none in time */
  run<T>(work: () => Promise<T>): Promise<T>;
};

/** At most `inFlight` pieces of work at once; a few more wait, and not for long. */
export const createLimiter = (options: { inFlight: number; waiting: number; waitMs: number }): Limiter => {
  const queue: (() => void)[] = [];
  let running = 0;

  const enter = (): Promise<void> => {
    if (running < options.inFlight) {
      running += 1;
      return Promise.resolve();
    }
    if (queue.length >= options.waiting) return Promise.reject(new Overloaded('too many requests are waiting'));
    return new Promise((resolve, reject) => {
      const admit = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        queue.splice(queue.indexOf(admit), 1);
        reject(new Overloaded('there was no room in time'));
      }, options.waitMs);
      queue.push(admit);
    });
  };

  /** Hands the place on, so that nobody slips in between. */
  const leave = (): void => {
    const next = queue.shift();
    if (next) next();
    else running -= 1;
  };

  return {
    async run(work) {
      await enter();
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
};
