import { StoreUnavailable } from '@authserver/store';
import { inSpan } from '@authserver/telemetry';
import { hash, verify } from '@node-rs/argon2';

/** OWASP's second recommendation for argon2id: 19 MiB, two passes, one lane; some 7 ms of a worker thread. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export type PasswordChecker = {
  /**
   * Always does the work of one hash, also when there is nothing to compare with, so that time tells nobody whether an
   * account exists.
   *
   * @throws {StoreUnavailable} when too many checks wait already: rendered as 503
   */
  matches(password: string, passwordHash: string | undefined): Promise<boolean>;
};

/** Hashing happens in worker threads, a few at a time; a flood of sign-ins fills the queue, not the machine. */
export const createPasswordChecker = async (limits = { running: 3, waiting: 100 }): Promise<PasswordChecker> => {
  const nobody = await hash('a password nobody has', cost);
  const waiting: (() => void)[] = [];
  let running = 0;

  const enter = async (): Promise<void> => {
    if (running < limits.running) {
      running += 1;
      return;
    }
    if (waiting.length >= limits.waiting) throw new StoreUnavailable('too many sign-ins at once');
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  };

  return {
    async matches(password, passwordHash) {
      await enter();
      try {
        const matched = await inSpan('hash password', () =>
          verify(passwordHash ?? nobody, password).catch(() => false),
        );
        return matched && passwordHash !== undefined;
      } finally {
        leave();
      }
    },
  };
};
