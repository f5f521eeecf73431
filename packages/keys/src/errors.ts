/** A key store could not be read, written or locked. The message names the file; it never holds key material. */
export class KeyStoreError extends Error {
  override readonly name = 'KeyStoreError';
}

/**
 * A rotation was refused because the next key has not been in the JWKS for one cache lifetime. A verifier that holds
 * an older copy would not know it yet. Wait `secondsLeft`, or rotate with `force`.
 */
export class KeyTooYoungError extends Error {
  override readonly name = 'KeyTooYoungError';
  readonly kid: string;
  readonly secondsLeft: number;

  constructor(kid: string, secondsLeft: number) {
    super(`Key ${kid} is too young to sign: verifiers may not have fetched it yet. Rotate again in ${secondsLeft} s.`);
    this.kid = kid;
    this.secondsLeft = secondsLeft;
  }
}

/** `current` signs, `next` is about to, and tokens of a `retiring` one may be out there. */
export type KeyUse = 'current' | 'next' | 'retiring';

/**
 * A key was not retired because it is still of use. Nothing retires the current and the next one but a rotation; a
 * retiring one can be given up with `force`, and with it the tokens that live until `lastTokenEnds`.
 */
export class KeyInUseError extends Error {
  override readonly name = 'KeyInUseError';
  readonly kid: string;
  readonly use: KeyUse;

  constructor(kid: string, use: KeyUse, lastTokenEnds?: Date) {
    super(
      use === 'retiring'
        ? `Tokens that key ${kid} signed may live until ${lastTokenEnds?.toISOString() ?? 'later'}; without it they are refused.`
        : `Key ${kid} is the ${use} one; only a rotation replaces it.`,
    );
    this.kid = kid;
    this.use = use;
  }
}

/** Why no signature can be made just now; a later try may succeed. */
export const signingFailures = ['unconfirmed', 'unreachable', 'denied', 'refused'] as const;
export type SigningFailure = (typeof signingFailures)[number];

/**
 * No signature can be made just now, through no fault of whoever asks: the home of the key does not answer or says no, or we
 * have not been able to make sure for too long that our key is still the one to sign with.
 */
export class SigningUnavailable extends Error {
  override readonly name = 'SigningUnavailable';
  readonly failure: SigningFailure;

  constructor(failure: SigningFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}
