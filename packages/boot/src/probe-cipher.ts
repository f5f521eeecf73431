import { type DataCipher, DecryptionError, keyNameOf, type Sealed } from '@authserver/encryption';
import { encryptedColumns, type Repositories } from '@authserver/store';

/** Of every column so many values are looked at; `admin crypto status` looks at all. */
const sample = 100;

/**
 * Whether the cipher encrypts, and opens what is there: one value of each key that encrypted some of the first. A key that
 * was replaced by another without being kept as the old one is found here.
 *
 * @throws {CipherUnavailableError}
 */
export const probeCipher = async (
  cipher: DataCipher,
  { encryptedValues }: Pick<Repositories, 'encryptedValues'>,
): Promise<{ wrong?: boolean; detail?: string }> => {
  const sealed = await cipher.encrypt('probe', Buffer.from('probe'));
  await cipher.decrypt('probe', sealed);
  const seen = new Set<string>();
  let waiting = false;
  for (const column of encryptedColumns)
    for (const value of (await encryptedValues.page(column, undefined, sample)) as (Sealed & { key: string })[]) {
      const kind = `${column.table} ${value.backend} ${keyNameOf(value)}`;
      if (seen.has(kind)) continue;
      seen.add(kind);
      const owner = column.ownerOf(value.key);
      try {
        await cipher.decrypt(owner, value);
      } catch (error) {
        if (!(error instanceof DecryptionError)) throw error;
        return { wrong: true, detail: `no configured key opens what is kept for ${owner}` };
      }
      waiting ||= !(await cipher.isCurrent(value));
    }
  return waiting ? { detail: 'values of another key wait for admin crypto reencrypt' } : {};
};
