/** What a ring that lives in the database needs of it. The repository is in `packages/store`; `packages/boot` joins them. */

/** A private key as the table holds it: encrypted, and by what. */
export interface SealedKey {
  readonly backend: string;
  readonly blob: Buffer;
}

/** A row of `signing_keys` as it was found: not checked yet. */
export interface KeyRow {
  readonly kid: string;
  readonly alg: string;
  readonly state: string;
  readonly publicJwk: unknown;
  /** Absent for a key that lives elsewhere, and for one that signs no more. */
  readonly sealed?: SealedKey | undefined;
  readonly createdAt: Date;
  readonly activatedAt?: Date | undefined;
  readonly retiredAt?: Date | undefined;
  readonly goneAfter?: Date | undefined;
}

/** The table, as one transaction or the pool sees it. */
export interface KeyTable {
  /** Waits until no other transaction changes the ring, and keeps all others waiting until this one ends. */
  lock(): Promise<void>;
  list(): Promise<KeyRow[]>;
  insert(row: KeyRow): Promise<void>;
  /** Writes the state and its times. A key that becomes `retiring` loses its private part: it never signs again. */
  move(row: Omit<KeyRow, 'sealed'>): Promise<void>;
  delete(kid: string): Promise<void>;
}

export interface KeyTables {
  /** For reading, outside a transaction. */
  readonly rows: Pick<KeyTable, 'list'>;
  /** One transaction: all that `work` does, or nothing. */
  change<T>(work: (table: KeyTable) => Promise<T>): Promise<T>;
}
