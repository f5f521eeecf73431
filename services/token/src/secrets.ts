import { createHmac, hash, hkdfSync, randomFillSync, timingSafeEqual } from 'node:crypto';
import { EncryptJWT, jwtDecrypt } from 'jose';

/** Random bytes for the next tokens: asking for many at once costs little more than asking for 32. */
const randomness = Buffer.alloc(4096);
let used = randomness.length;

/** 256 random bits, in characters that survive any form encoding. They are in memory nowhere else when it returns. */
export const randomToken = (): string => {
  if (used + 32 > randomness.length) {
    randomFillSync(randomness);
    used = 0;
  }
  const token = randomness.toString('base64url', used, used + 32);
  randomness.fill(0, used, used + 32);
  used += 32;
  return token;
};

/** How a token or code is kept: random 256-bit values need no slow hash. */
export const tokenHash = (token: string): Buffer => hash('sha256', token, 'buffer');

/** A JWE in compact form with a direct key (RFC 7516 §3.1), to the letter: it goes on into addresses as it came. */
const compact = /^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Everything that is keyed by `session.secret`; each purpose has a key of its own (RFC 5869). */
export type Secrets = {
  /**
   * The one successor of a refresh token. Any pod computes the same, so a repeated refresh gets the same answer although
   * only hashes are stored; without the server's secret nobody gets from one token to the next.
   */
  successorOf(refreshToken: string): string;
  /** Proves that a form was served to this browser: bound to its cookie. */
  csrfToken(binding: string): string;
  csrfMatches(binding: string, presented: string | undefined): boolean;
  /** A MAC over a server nonce, so that it needs no storage (RFC 9449 §8). */
  nonceMac(text: string): string;
  /** What an address or a name is called where it is only counted: keyed, so that nobody can try names against it. */
  pseudonym(text: string): Buffer;
  /** Encrypts what a browser carries for us. `purpose` keeps one kind from being used as another. */
  seal(purpose: string, payload: Record<string, unknown>, expiresAt: Date): Promise<string>;
  /** `undefined` when it is not ours, was changed, is for another purpose or has expired. */
  unseal(purpose: string, sealed: string, now: Date): Promise<Record<string, unknown> | undefined>;
};

export const createSecrets = (sessionSecret: string): Secrets => {
  const derive = (info: string): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', sessionSecret, '', `authserver ${info}`, 32));
  const successorKey = derive('refresh successor');
  const csrfKey = derive('csrf');
  const nonceKey = derive('dpop nonce');
  const pseudonymKey = derive('pseudonym');
  const sealKey = derive('seal');

  const csrfToken = (binding: string): string => createHmac('sha256', csrfKey).update(binding).digest('base64url');

  return {
    successorOf: (refreshToken) => createHmac('sha256', successorKey).update(refreshToken).digest('base64url'),
    csrfToken,
    csrfMatches(binding, presented) {
      const expected = Buffer.from(csrfToken(binding));
      const given = Buffer.from(presented ?? '');
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
    nonceMac: (text) => createHmac('sha256', nonceKey).update(text).digest('base64url'),
    pseudonym: (text) => createHmac('sha256', pseudonymKey).update(text).digest(),
    seal: (purpose, payload, expiresAt) =>
      new EncryptJWT(payload)
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setAudience(purpose)
        .setExpirationTime(Math.ceil(expiresAt.getTime() / 1000))
        .encrypt(sealKey),
    async unseal(purpose, sealed, now) {
      if (!compact.test(sealed)) return undefined; // decoders put up with white space, addresses do not
      try {
        const { payload } = await jwtDecrypt(sealed, sealKey, {
          audience: purpose,
          currentDate: now,
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        });
        return payload;
      } catch {
        return undefined;
      }
    },
  };
};
