import type { Config } from '@authserver/config';
import { addressKey } from '@authserver/http';
import type { AttemptKeys, Attempts } from '@authserver/replay';
import type { Secrets } from '../secrets.ts';

/** Failures of one address, whatever the e-mail, for each that one e-mail from it may have. */
const addressFactor = 10;

/** What became locked: one identity for one address, or everything from an address. */
export type LockoutScope = 'identity' | 'address';
export type Lockout = { scope: LockoutScope; until: Date };

export type SignInAttempt =
  | { allowed: false; retryAfterSeconds: number }
  | {
      allowed: true;
      /** The password was right. */
      succeeded(): Promise<void>;
      /** It was wrong. Returns the lockouts that begin with it, each exactly once on all pods. */
      failed(): Lockout[];
      /** We could not tell, for a reason of our own: it never was. */
      unanswered(): Promise<void>;
    };

/**
 * Who failed too often has to wait. Counted by e-mail address and client address together, so that somebody who guesses
 * locks themselves out and not the owner at another address, and with a higher threshold by client address alone, against
 * one password tried on many accounts.
 *
 * Nothing here knows whether the account exists, so a lockout tells nobody. Only keyed hashes leave this file.
 */
export type LoginLockout = {
  /** Counts an attempt; every attempt that is allowed must be settled by one of its three ends. */
  begin(email: string, ip: string): Promise<SignInAttempt>;
};

const open: SignInAttempt = { allowed: true, succeeded: async () => {}, failed: () => [], unanswered: async () => {} };

export const createLoginLockout = (deps: {
  attempts: Attempts;
  secrets: Pick<Secrets, 'pseudonym'>;
  config: Config['rate_limit'];
}): LoginLockout => {
  const { auth_fail_max: most } = deps.config;
  if (most <= 0) return { begin: async () => open };

  const keysOf = (email: string, ip: string): AttemptKeys => {
    const address = addressKey(ip);
    // More spellings than the accounts know are one identity here, so that no spelling is a fresh start.
    const identity = email.trim().normalize('NFKC').toLowerCase();
    return [
      { hash: deps.secrets.pseudonym(`sign-in ${address} ${identity}`), max: most },
      { hash: deps.secrets.pseudonym(`sign-in ${address}`), max: most * addressFactor },
    ];
  };

  return {
    async begin(email, ip) {
      const reservation = await deps.attempts.reserve(keysOf(email, ip));
      if (!reservation.allowed)
        return { allowed: false, retryAfterSeconds: Math.max(1, Math.ceil(reservation.waitMs / 1000)) };
      const [identity, address] = reservation.lockedUntil;
      return {
        allowed: true,
        succeeded: reservation.succeed,
        failed: () => [
          ...(identity ? [{ scope: 'identity' as const, until: identity }] : []),
          ...(address ? [{ scope: 'address' as const, until: address }] : []),
        ],
        unanswered: reservation.release,
      };
    },
  };
};
