/** Ways to encrypt what the database keeps for us (`data_encryption.driver`). */
export const cipherBackends = ['aes_master', 'vault_transit_encrypt'] as const;
export type CipherBackend = (typeof cipherBackends)[number];

/** An encrypted value as it is stored: `enc_*` and `enc_*_backend` of its row. */
export type Sealed = { backend: CipherBackend; blob: Buffer };

/**
 * Encrypts secrets at rest. `owner` names the row a value belongs to, such as `signing-key:<kid>` or `provider:<id>`; it is
 * authenticated with the value, so that one row's secret cannot be copied into another.
 */
export interface DataCipher {
  /** What new values are encrypted with. */
  readonly backend: CipherBackend;
  encrypt(owner: string, plaintext: Buffer): Promise<Sealed>;
  /**
   * @throws {DecryptionError} when the value is not `owner`'s, was changed, or no configured key opens it
   * @throws {CipherUnavailableError} when the home of the key does not answer; a later try may succeed
   */
  decrypt(owner: string, sealed: Sealed): Promise<Buffer>;
  /**
   * Whether it was encrypted with the key in use now; what was not is encrypted anew by `admin crypto reencrypt`. Only the
   * beginning of the value is looked at: what comes before the first secret byte.
   *
   * @throws {CipherUnavailableError}
   */
  isCurrent(sealed: Sealed): Promise<boolean>;
}

/** Why a stored secret is not opened. */
export type DecryptionFailure = 'invalid_format' | 'unsupported_version' | 'unknown_key' | 'auth_failed';

/** A stored secret cannot be opened with any configured key. The message names the owner, never the value. */
export class DecryptionError extends Error {
  override readonly name = 'DecryptionError';
  readonly failure: DecryptionFailure;

  constructor(failure: DecryptionFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** The home of the key cannot be reached, or refuses us. */
export class CipherUnavailableError extends Error {
  override readonly name = 'CipherUnavailableError';
}
