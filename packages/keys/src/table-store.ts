/**
 * A ring in the table `signing_keys`, for any number of processes. The table holds the states and the public parts; the
 * private ones are where a `KeyHome` says.
 *
 * Every change happens in one transaction that first takes the lock of the ring, reads it, decides, and writes. So of
 * two that want to make the first keys, or rotate, one comes after the other and sees what it did. Given the transaction
 * of an admin operation, the ring changes with its audit event and its announcement, or not at all. Reading takes no lock.
 */
import { KeyStoreError } from './errors.ts';
import type { KeyHome, StoredKey } from './key-home.ts';
import { readRows } from './key-rows.ts';
import type {
  Clock,
  KeyRecord,
  KeySet,
  KeyState,
  KeyStore,
  RotateOptions,
  Signer,
  SigningAlgorithm,
} from './key-store.ts';
import type { KeyTable, KeyTables } from './key-table.ts';
import {
  isCurrentSince,
  isGone,
  newRecord,
  notRotated,
  planRetirement,
  planRotation,
  requireState,
  retireRecord,
} from './lifecycle.ts';

export interface TableStoreOptions {
  readonly tables: KeyTables;
  /** Where new keys are made. */
  readonly home: KeyHome;
  /** The home of a key that was made earlier, perhaps under another configuration. */
  readonly homeOf: (key: StoredKey) => KeyHome;
  /** Algorithm of the first keys. A rotation names its own. */
  readonly algorithm: SigningAlgorithm;
  readonly maxTokenLifetimeSeconds: number;
  readonly clock: Clock;
  /** False where keys are known to have existed: an empty table is then a lost one. */
  readonly mayCreate: boolean;
}

/** Opens the store; nothing is read or written before the first call. */
export function tableKeyStore(options: TableStoreOptions): KeyStore {
  const { tables, home, homeOf, algorithm, clock } = options;
  let { mayCreate } = options;
  /** Opening a key may mean decrypting it elsewhere, so it happens once. */
  const opened = new Map<string, Signer>();

  return {
    async load(): Promise<KeySet> {
      let keys = await readRows(await tables.rows.list());
      if (keys.length === 0) keys = await change(undefined, readOrCreate);
      mayCreate = false; // from here on, finding no keys means that they were lost
      const [current, next] = [keyIn(keys, 'current'), keyIn(keys, 'next')];
      for (const kid of opened.keys())
        if (![current, next].some(({ record }) => record.kid === kid)) opened.delete(kid);
      const signer = await open(current);
      // Opened ahead of its turn, so that a rotation needs nothing but the database. It is not needed before.
      const nextProblem = await open(next).then(() => undefined, toError);
      const now = clock.now();
      const records = keys.map(({ record }) => record).filter((record) => !isGone(record, now));
      return { records, signer, ...(nextProblem && { nextProblem }) };
    },

    rotate: (rotation) =>
      change(rotation.table, async (table) => {
        const keys = await readOrCreate(table);
        const ring = keys.map(({ record }) => record);
        const { ifCurrentSince } = rotation;
        if (ifCurrentSince && !isCurrentSince(ring, ifCurrentSince)) return notRotated(ring);
        const next = keyIn(keys, 'next');
        const nextProblem = await homeOf(next)
          .check(next)
          .then(() => undefined, asLost);
        const plan = planRotation(ring, { ...rotation, nextUsable: nextProblem === undefined }, options);
        if (nextProblem && !rotation.force) throw nextProblem;
        const made = rotation.dryRun ? [] : await makeKeys(table, plan, rotation);
        const records = [...plan.kept, ...made];
        const { kid = '', alg = rotation.algorithm } = records.find(({ state }) => state === 'current') ?? {};
        return { kid, alg, previous: requireState(ring, 'current').kid, records };
      }),

    retire: (kid, retirement) =>
      change(retirement.table, async (table) => {
        const ring = (await readOrCreate(table)).map(({ record }) => record);
        const retired = planRetirement(ring, kid, retirement);
        if (retired && !retirement.dryRun) await table.delete(kid);
        return retired;
      }),
  };

  function change<T>(given: KeyTable | undefined, work: (table: KeyTable) => Promise<T>): Promise<T> {
    const locked = async (table: KeyTable) => {
      await table.lock();
      return work(table);
    };
    return given ? locked(given) : tables.change(locked);
  }

  async function readOrCreate(table: KeyTable): Promise<StoredKey[]> {
    const existing = await readRows(await table.list());
    if (existing.length > 0) return existing;
    if (!mayCreate)
      throw new KeyStoreError(
        'The table signing_keys is empty, but there were signing keys: with new ones every token issued so far would be refused. Restore it; if they are in files, import them first (authserver import-keys).',
      );
    const now = clock.now();
    const [latest, ...earlier] = (await home.find?.(algorithm)) ?? [];
    const current = latest ?? (await home.make(algorithm, new Set()));
    await insert(table, current, newRecord(current, 'current', now));
    const next = await home.make(algorithm, new Set([current, ...earlier].map(({ kid }) => kid)));
    await insert(table, next, newRecord(next, 'next', now));
    for (const key of earlier)
      await insert(table, key, retireRecord({ ...newRecord(key, 'current', now) }, now, options));
    return readRows(await table.list());
  }

  /** Writes the plan, and makes what it misses. Of two keys with one state, which the table refuses, the old one moves first. */
  async function makeKeys(
    table: KeyTable,
    { kept, dropped, missing }: { kept: KeyRecord[]; dropped: KeyRecord[]; missing: KeyState[] },
    { algorithm, now }: RotateOptions,
  ): Promise<KeyRecord[]> {
    for (const { kid } of dropped) await table.delete(kid);
    for (const record of kept.toSorted((a, b) => order(a) - order(b))) await table.move(record);
    const made: KeyRecord[] = [];
    const inUse = new Set([...kept, ...dropped].map(({ kid }) => kid));
    for (const state of missing) {
      const key = await home.make(algorithm, inUse);
      inUse.add(key.kid);
      const record = newRecord(key, state, now);
      await insert(table, key, record);
      made.push(record);
    }
    return made;
  }

  async function open(key: StoredKey): Promise<Signer> {
    const signer = opened.get(key.record.kid) ?? (await homeOf(key).open(key));
    opened.set(key.record.kid, signer);
    return signer;
  }
}

const insert = (table: KeyTable, { sealed }: { sealed?: StoredKey['sealed'] }, record: KeyRecord): Promise<void> =>
  table.insert({ ...record, sealed });

const order = ({ state }: KeyRecord): number => ['retiring', 'current', 'next'].indexOf(state);

const keyIn = (keys: readonly StoredKey[], state: 'current' | 'next'): StoredKey => {
  const found = keys.find(({ record }) => record.state === state);
  if (!found) throw new Error(`The key ring has no ${state} key.`); // `readRows` has seen to it
  return found;
};

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

function asLost(error: unknown): KeyStoreError {
  if (error instanceof KeyStoreError) return error;
  throw error;
}
