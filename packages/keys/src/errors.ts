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
