/** How we log in to Vault. */
export type VaultLogin =
  | { method: 'token'; token: string }
  | { method: 'approle'; mount: string; roleId: string; secretId: string };

export type VaultOptions = {
  /** Base URL of Vault, such as `https://vault.example.com:8200`. */
  address: string;
  login: VaultLogin;
  /** Time one call may take, login included. */
  timeoutMs: number;
};

/** Vault's HTTP API, logged in and kept logged in. */
export interface VaultClient {
  /**
   * @param path below `/v1/`, such as `transit/sign/my-key`
   * @returns the `data` member of the answer; undefined for 204 and 404
   * @throws {VaultError}
   */
  call(
    method: 'GET' | 'POST',
    path: string,
    body?: Record<string, unknown>,
  ): Promise<Record<string, unknown> | undefined>;
  close(): void;
}

/** `unavailable`: not reachable, sealed, standby without leader, or slow; a later try may succeed. `denied`: token or policy. */
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
