import type { KeyRecord, Signer, SigningAlgorithm } from './key-store.ts';
import type { SealedKey } from './key-table.ts';

/** A key just made: what becomes its row. */
export type NewKey = Pick<KeyRecord, 'kid' | 'alg' | 'publicJwk'> & { readonly sealed?: SealedKey };

/** A key of the ring, with its private part if the table has it. */
export interface StoredKey {
  readonly record: KeyRecord;
  readonly sealed?: SealedKey | undefined;
}

/** Where the private keys of a ring in the database are: in the table, encrypted, or with somebody who signs for us. */
export interface KeyHome {
  /**
   * Makes a key whose `kid` is none of those in use. If its row never comes to be committed, nobody will ever use it.
   */
  make(alg: SigningAlgorithm, inUse: ReadonlySet<string>): Promise<NewKey>;
  /** What is there already when the table is still empty, newest first. Absent where that cannot be. */
  find?(alg: SigningAlgorithm): Promise<NewKey[]>;
  /**
   * @throws {KeyStoreError} when the private part is lost or is not the one whose public part is published
   * @throws {SigningUnavailable} when that cannot be known now
   */
  open(key: StoredKey): Promise<Signer>;
  /** Makes sure that the key can sign; throws what `open` does. Not called for every load, so it may take a while. */
  check(key: StoredKey): Promise<void>;
}
