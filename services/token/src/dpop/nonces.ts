import { timingSafeEqual } from 'node:crypto';

export type Nonces = {
  /** A nonce of this moment, for the `DPoP-Nonce` header. */
  fresh(now: Date): string;
  /** Whether a pod of ours made it, no longer than `dpop.nonce_ttl` ago. */
  isLive(nonce: string, now: Date): boolean;
};

/**
 * Server nonces (RFC 9449 §8) that nobody keeps: the time they were made and a MAC over it. Every pod has the key, so each
 * takes those of the others, and older ones stay good beside newer ones until their time is up.
 */
export const createNonces = (deps: { issuer: string; ttlSeconds: number; mac: (text: string) => string }): Nonces => {
  const sign = (made: string): string => deps.mac(`${deps.issuer} ${made}`);

  return {
    fresh(now) {
      const made = now.getTime().toString(36);
      return `${made}.${sign(made)}`;
    },

    isLive(nonce, now) {
      const [made, given] = /^([0-9a-z]{1,9})\.([A-Za-z0-9_-]{43})$/.exec(nonce)?.slice(1) ?? [];
      if (made === undefined || given === undefined) return false;
      if (!timingSafeEqual(Buffer.from(sign(made)), Buffer.from(given))) return false;
      // The clock of the pod that made it may be ahead of ours.
      return Math.abs(now.getTime() - Number.parseInt(made, 36)) <= deps.ttlSeconds * 1000;
    },
  };
};
