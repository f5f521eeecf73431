/**
 * Encrypts anew what another key than the one in use encrypted: column by column in the order of keys, a few values at a
 * time, each time one statement that replaces what is still as it was read. So it can be broken off at any moment and begun
 * again, run beside traffic and beside itself, and never undoes what somebody else wrote.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { OnProgress, Reencryption } from '@authserver/admin-api';
import { type DataCipher, DecryptionError, type Sealed } from '@authserver/encryption';
import { type EncryptedColumn, type EncryptedValue, encryptedColumns, type Repositories } from '@authserver/store';
import type { z } from 'zod';

type Result = Omit<z.output<typeof Reencryption>, 'left'>;

/** Values of one statement. */
const batch = 100;
/** Of a batch so many at once: in Vault each is two calls. */
const atOnce = 8;
/** The database gets as much time for others as it spent on us, up to this. */
const longestPauseMs = 50;
/** So many owners of values that no key opens are named. */
const named = 20;

export type ReencryptDeps = { store: Pick<Repositories, 'encryptedValues'>; cipher: DataCipher };

export type ReencryptOptions = {
  dryRun: boolean;
  progress: OnProgress;
  /** Looked at between two batches; what it throws ends the work. */
  mayGoOn: () => void;
};

/** @throws {CipherUnavailableError} having done what was done until then */
export const reencrypt = async (
  { store: { encryptedValues }, cipher }: ReencryptDeps,
  { dryRun, progress, mayGoOn }: ReencryptOptions,
): Promise<Result> => {
  const result: Result = {
    ...{ driver: cipher.backend, scanned: 0, reencrypted: 0, changed: 0, unreadable: 0 },
    unreadable_owners: [],
  };
  let total = 0;
  for (const column of encryptedColumns) total += await encryptedValues.count(column);

  for (const column of encryptedColumns)
    for (let after: string | undefined; ; ) {
      mayGoOn();
      const started = performance.now();
      const values = await encryptedValues.page(column, after, batch);
      const changes = await replacementsOf(cipher, column, values, (owner) => {
        result.unreadable += 1;
        if (result.unreadable <= named) result.unreadable_owners.push(owner);
      });
      const replaced = dryRun ? changes.length : await encryptedValues.replace(column, changes);
      result.scanned += values.length;
      result.reencrypted += replaced;
      result.changed += changes.length - replaced;
      progress({ done: result.scanned, total: Math.max(total, result.scanned) });
      if (values.length < batch) break;
      after = values.at(-1)?.key;
      await pause(Math.min(performance.now() - started, longestPauseMs));
    }
  return result;
};

const replacementsOf = async (
  cipher: DataCipher,
  column: EncryptedColumn,
  values: readonly EncryptedValue[],
  onUnreadable: (owner: string) => void,
) => {
  const changes = [];
  for (let start = 0; start < values.length; start += atOnce)
    changes.push(
      ...(await Promise.all(
        values.slice(start, start + atOnce).map(async (before) => {
          const owner = column.ownerOf(before.key);
          if (await cipher.isCurrent(before as Sealed)) return undefined;
          try {
            const after = await cipher.encrypt(owner, await cipher.decrypt(owner, before as Sealed));
            return { key: before.key, before, after };
          } catch (error) {
            if (!(error instanceof DecryptionError)) throw error;
            onUnreadable(owner);
            return undefined;
          }
        }),
      )),
    );
  return changes.filter((change) => change !== undefined);
};
