import type { CryptoStatus } from '@authserver/admin-api';
import { type DataCipher, DecryptionError, keyNameOf, type Sealed } from '@authserver/encryption';
import { encryptedColumns, type Repositories } from '@authserver/store';
import type { z } from 'zod';

/**
 * What is encrypted, column by column and key by key, and whether one of each kind can be opened. It reads every value's
 * beginning, and opens one of each.
 *
 * @throws {CipherUnavailableError}
 */
export const surveyEncrypted = async (
  { encryptedValues }: Pick<Repositories, 'encryptedValues'>,
  cipher: DataCipher | undefined,
): Promise<z.output<typeof CryptoStatus>> => {
  const values = [];
  for (const column of encryptedColumns)
    for (const { backend, prefix, count, example } of await encryptedValues.groups(column)) {
      const begins = { backend, blob: prefix } as Sealed;
      values.push({
        column: `${column.table}.${column.column}`,
        backend,
        key: keyNameOf(begins),
        current: (await cipher?.isCurrent(begins)) ?? false,
        opens: await opens(cipher, column.ownerOf(example.key), example as Sealed),
        count,
      });
    }
  const to_reencrypt = values.filter(({ current }) => !current).reduce((sum, { count }) => sum + count, 0);
  return { driver: cipher?.backend ?? '', values, to_reencrypt };
};

const opens = async (cipher: DataCipher | undefined, owner: string, sealed: Sealed): Promise<boolean> => {
  try {
    return cipher !== undefined && (await cipher.decrypt(owner, sealed)) !== undefined;
  } catch (error) {
    if (error instanceof DecryptionError) return false;
    throw error;
  }
};
