/**
 * What a home for signing keys looks like from outside. A store owns the private keys and the states of the ring;
 * it decides when a rotation is allowed. Caching, the JWKS and JWT headers belong to `keyring.ts`.
 */
import type { JWK } from 'jose';
import type { KeyTable } from './key-table.ts';

/** JWS algorithms we sign with (RFC 7518 §3.1, RFC 8037 §3.1). `EdDSA` is Ed25519. */
export const signingAlgorithms = ['ES256', 'RS256', 'EdDSA'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

/** `next` is published but does not sign; `current` signs; `retiring` only verifies. A key that is gone is absent. */
export const keyStates = ['next', 'current', 'retiring'] as const;
export type KeyState = (typeof keyStates)[number];

/** A public JWK as published (RFC 7517 §4): public members only. */
export type PublicJwk = Readonly<JWK & { kty: string; kid: string; alg: SigningAlgorithm; use: 'sig' }>;

/** One key of the ring, without its private part. */
export interface KeyRecord {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: KeyState;
  readonly publicJwk: PublicJwk;
  readonly createdAt: Date;
  /** When it became `current`. */
  readonly activatedAt?: Date;
  /** When it became `retiring`. */
  readonly retiredAt?: Date;
  /** The last moment at which a live token may carry its signature; set when it becomes `retiring`. */
  readonly goneAfter?: Date;
}

/** Signs with one private key, which may live in this process or elsewhere (then the result is a promise). */
export interface Signer {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** @returns the JWS signature (RFC 7515 §5.1) over the ASCII signing input; ES256 as R‖S (RFC 7518 §3.4) */
  sign(signingInput: string): Buffer | Promise<Buffer>;
}

/** The ring at one moment: one `current`, one `next`, any number of `retiring`, and the signer of `current`. */
export interface KeySet {
  readonly records: readonly KeyRecord[];
  readonly signer: Signer;
  /** Why the next key could not sign if it were its turn, where that is known. */
  readonly nextProblem?: Error;
}

export interface RotateOptions {
  readonly now: Date;
  /** Algorithm of the newly made key; see `lifecycle.ts` for when a changed algorithm takes effect. */
  readonly algorithm: SigningAlgorithm;
  /** Promote the next key even if verifiers may not have seen it, and complete an algorithm change at once. */
  readonly force?: boolean;
  /** Only if the current key has signed since this moment or longer; decided together with the rotation, under its lock. */
  readonly ifCurrentSince?: Date;
  /** Decide and answer, but change nothing. The `kid` of a key still to be made is empty. */
  readonly dryRun?: boolean;
  /** The transaction that a ring in the database changes in; a ring elsewhere has no use for it. */
  readonly table?: KeyTable;
}

export interface Rotation {
  /** The key that signs from now on. */
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** The key that signed before; the same when it was not time. */
  readonly previous: string;
  /** The ring afterwards; in a dry run without the keys still to be made. */
  readonly records: readonly KeyRecord[];
}

export interface RetireOptions {
  readonly now: Date;
  /** Give up a retiring key although tokens it signed may still live, as one does after a leak. */
  readonly force?: boolean;
  /** Decide and answer, but change nothing. */
  readonly dryRun?: boolean;
  /** As for a rotation. */
  readonly table?: KeyTable;
}

export interface KeyStore {
  /** Reads the ring without keys that are gone. Makes the first two keys when there are none. */
  load(): Promise<KeySet>;

  /**
   * Promotes `next` to `current`, makes a new `next`, and forgets keys that are gone. All of it happens or none.
   *
   * @throws {KeyTooYoungError} when `next` was published less than one JWKS cache lifetime ago and `force` is not set
   * @throws {SigningUnavailable} when the home of the keys does not answer
   */
  rotate(options: RotateOptions): Promise<Rotation>;

  /**
   * Forgets a retiring key (rotate first, when it signs). Tokens it signed stop verifying once verifiers fetch the JWKS
   * again.
   *
   * @returns what is forgotten; undefined when no key has this `kid`
   * @throws {KeyInUseError} when the key is current or next, or, without `force`, when tokens it signed may still live
   */
  retire(kid: string, options: RetireOptions): Promise<KeyRecord | undefined>;
}

export interface Clock {
  now(): Date;
}
