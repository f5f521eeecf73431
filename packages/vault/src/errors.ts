/**
 * `unavailable`: not reachable, sealed, without a leader, or slow; a later try may succeed. `denied`: by a token or a policy.
 * `refused`: Vault understood and said no, as it will again.
 */
export type VaultFailure = 'unavailable' | 'denied' | 'refused';

/** The message names the path and what Vault said; it never holds a token or a value. */
export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly failure: VaultFailure;

  constructor(failure: VaultFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}
