/**
 * Signing keys in a directory (0700) of one machine: the manifest `keyring.json` and `<kid>.pem` per key (0600).
 *
 * The manifest is the ring. A change writes new key files first, then replaces the manifest in one rename, then
 * deletes what it no longer names; a crash in between leaves the old ring or the new one, and perhaps a file that
 * belongs to neither, which a later rotation removes. Changes hold `keyring.lock`; reading takes no lock.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyStoreError } from './errors.ts';
import { type HeldLock, withFileLock } from './file-lock.ts';
import { createKeyPair, fromPkcs8, isKid, type KeyPair, toPkcs8 } from './key-pair.ts';
import type { Clock, KeyRecord, KeyState, KeyStore, SigningAlgorithm } from './key-store.ts';
import {
  isCurrentSince,
  isGone,
  newRecord,
  notRotated,
  planRetirement,
  planRotation,
  requireState,
} from './lifecycle.ts';
import { localSigner } from './local-signer.ts';
import { formatManifest, parseManifest } from './manifest.ts';
import {
  errorCode,
  isTemporary,
  preparePrivateDirectory,
  readPrivateFile,
  requirePrivate,
  writePrivateFile,
} from './private-files.ts';

export interface KeyfileOptions {
  readonly directory: string;
  /** Algorithm of the first keys. A rotation names its own. */
  readonly algorithm: SigningAlgorithm;
  readonly maxTokenLifetimeSeconds: number;
  readonly clock?: Clock;
  /** False where keys are known to have existed: an empty directory is then a lost one. True unless given. */
  readonly mayCreate?: boolean;
}

/** A stray file younger than this may belong to a change under way elsewhere. */
const STRAY_AFTER_MS = 3_600_000;

/**
 * Opens the store; nothing is read or written before the first call. Every method throws a `KeyStoreError` naming the
 * file when one is missing, damaged, or readable by others.
 */
export function keyfileStore(options: KeyfileOptions): KeyStore {
  const { directory, algorithm, clock = { now: () => new Date() } } = options;
  const manifestPath = join(directory, 'keyring.json');
  const pemPath = (kid: string) => join(directory, `${kid}.pem`);
  let mayCreate = options.mayCreate ?? true;

  return {
    async load() {
      const existing = await readManifest();
      const ring = existing?.length ? existing : await change(readOrCreate);
      mayCreate = false; // from here on, finding no keys means that they were lost
      await requirePrivate(directory);
      await requirePrivateKeyFiles();
      const now = clock.now();
      const current = await readKey(requireState(ring, 'current'));
      return { records: ring.filter((record) => !isGone(record, now)), signer: localSigner(current) };
    },

    rotate: (rotation) =>
      change(async (lock) => {
        const ring = await readOrCreate(lock);
        const { ifCurrentSince } = rotation;
        if (ifCurrentSince && !isCurrentSince(ring, ifCurrentSince)) return notRotated(ring);
        const previous = requireState(ring, 'current').kid;
        const nextProblem = await readKey(requireState(ring, 'next')).then(() => undefined, asKeyStoreError);
        const plan = planRotation(ring, { ...rotation, nextUsable: nextProblem === undefined }, options);
        if (nextProblem && !rotation.force) throw nextProblem;
        if (rotation.dryRun) {
          const { kid = '', alg = rotation.algorithm } = plan.kept.find(({ state }) => state === 'current') ?? {};
          return { kid, alg, previous, records: plan.kept };
        }

        const made = await Promise.all(plan.missing.map((state) => makeKey(rotation.algorithm, state, rotation.now)));
        const rotated = [...plan.kept, ...made];
        await writeManifest(rotated, lock);
        await cleanUp(rotated, plan.dropped);
        const { kid, alg } = requireState(rotated, 'current');
        return { kid, alg, previous, records: rotated };
      }),

    retire: (kid, retirement) =>
      change(async (lock) => {
        const ring = await readOrCreate(lock);
        const retired = planRetirement(ring, kid, retirement);
        if (!retired || retirement.dryRun) return retired;
        const kept = ring.filter((record) => record !== retired);
        await writeManifest(kept, lock);
        await cleanUp(kept, [retired]);
        return retired;
      }),
  };

  async function change<T>(work: (lock: HeldLock) => Promise<T>): Promise<T> {
    await preparePrivateDirectory(directory);
    return withFileLock(join(directory, 'keyring.lock'), work);
  }

  /**
   * The manifest is written empty before the first key file. So key files without any manifest mean that it was lost,
   * and making a new ring then would end every live token; while an empty one means a crash right here.
   */
  async function readOrCreate(lock: HeldLock): Promise<readonly KeyRecord[]> {
    const existing = await readManifest();
    if (existing?.length) return existing;
    if (existing === undefined) {
      if ((await readdir(directory)).some((name) => name.endsWith('.pem'))) {
        throw new KeyStoreError(
          `${manifestPath} is missing, but there are key files beside it. Restore it, or remove them to start anew.`,
        );
      }
    }
    if (!mayCreate)
      throw new KeyStoreError(
        `${directory} holds no signing keys, but there were some. Restore it (is a volume not mounted?): with new keys every token issued so far would be refused.`,
      );
    if (existing === undefined) await writeManifest([], lock);
    const now = clock.now();
    const made = [await makeKey(algorithm, 'current', now), await makeKey(algorithm, 'next', now)];
    await writeManifest(made, lock);
    return made;
  }

  async function readManifest(): Promise<readonly KeyRecord[] | undefined> {
    const text = await readPrivateFile(manifestPath);
    if (text === undefined) return undefined;
    try {
      return await parseManifest(text);
    } catch (error) {
      throw damaged(manifestPath, error);
    }
  }

  async function writeManifest(records: readonly KeyRecord[], lock: HeldLock): Promise<void> {
    await writePrivateFile(manifestPath, formatManifest(records), lock.requireHeld);
  }

  async function makeKey(alg: SigningAlgorithm, state: KeyState, now: Date): Promise<KeyRecord> {
    const pair = await createKeyPair(alg);
    await writePrivateFile(pemPath(pair.kid), toPkcs8(pair));
    return newRecord(pair, state, now);
  }

  async function readKey({ kid, alg }: KeyRecord): Promise<KeyPair> {
    const path = pemPath(kid);
    const pem = await readPrivateFile(path);
    if (pem === undefined) throw new KeyStoreError(`${path} is missing, but ${manifestPath} names it.`);
    const pair = await fromPkcs8(alg, pem).catch((error) => {
      throw damaged(path, error);
    });
    if (pair.kid !== kid) throw new KeyStoreError(`${path} holds another key than its name says.`);
    return pair;
  }

  async function requirePrivateKeyFiles(): Promise<void> {
    for (const name of await readdir(directory)) {
      if (!name.endsWith('.pem')) continue;
      await requirePrivate(join(directory, name)).catch((error) => {
        if (errorCode(error.cause) !== 'ENOENT') throw error; // deleted meanwhile by a rotation elsewhere
      });
    }
  }

  /**
   * Deletes the files of dropped keys, and what interrupted changes left: temporary files, and keys the manifest never
   * came to name. The change is already made, so a file that cannot be deleted does not fail it; the next one retries.
   */
  async function cleanUp(ring: readonly KeyRecord[], dropped: readonly KeyRecord[]): Promise<void> {
    const named = new Set(ring.map(({ kid }) => kid));
    const isStray = (name: string) => isTemporary(name) || (isKeyFile(name) && !named.has(kidOf(name)));
    try {
      for (const { kid } of dropped) await rm(pemPath(kid), { force: true });
      for (const name of (await readdir(directory)).filter(isStray)) {
        const path = join(directory, name);
        if (Date.now() - (await stat(path)).mtimeMs > STRAY_AFTER_MS) await rm(path, { force: true });
      }
    } catch (error) {
      if (errorCode(error) === undefined) throw error; // not the file system's: a defect of ours
    }
  }
}

const kidOf = (fileName: string): string => fileName.slice(0, -'.pem'.length);
const isKeyFile = (name: string): boolean => name.endsWith('.pem') && isKid(kidOf(name));

/** The reasons given by `parseManifest` and `fromPkcs8` quote nothing of the file. */
const damaged = (path: string, reason: unknown): KeyStoreError =>
  new KeyStoreError(`${path} is damaged: ${reason instanceof Error ? reason.message : 'unreadable'}.`);

function asKeyStoreError(error: unknown): KeyStoreError {
  if (error instanceof KeyStoreError) return error;
  throw error;
}
