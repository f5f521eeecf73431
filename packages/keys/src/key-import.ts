/** Takes a ring of key files over into the table, so that every process goes on with the same keys. */
import { join } from 'node:path';
import { KeyStoreError } from './errors.ts';
import { fromPkcs8 } from './key-pair.ts';
import type { KeyRecord } from './key-store.ts';
import type { KeyTable } from './key-table.ts';
import { isGone } from './lifecycle.ts';
import { parseManifest } from './manifest.ts';
import { readPrivateFile } from './private-files.ts';
import { type PrivateKeyCipher, sealPrivateKey } from './sealed-keys.ts';

/** A key of a directory; the private part as PKCS#8 only while it may still sign. */
export interface KeyFile {
  readonly record: KeyRecord;
  readonly pkcs8?: string;
}

/** @throws {KeyStoreError} naming the file that is missing, damaged, or open to others */
export async function readKeyFiles(directory: string, now: Date): Promise<KeyFile[]> {
  const manifest = join(directory, 'keyring.json');
  const text = await readPrivateFile(manifest);
  if (text === undefined) throw new KeyStoreError(`There are no key files in ${directory}.`);
  const records = await parseManifest(text).catch((error: Error) => {
    throw new KeyStoreError(`${manifest} is damaged: ${error.message}.`);
  });
  return Promise.all(
    records
      .filter((record) => !isGone(record, now))
      .map(async (record) => {
        if (record.state === 'retiring') return { record };
        const path = join(directory, `${record.kid}.pem`);
        const pkcs8 = await readPrivateFile(path);
        if (pkcs8 === undefined) throw new KeyStoreError(`${path} is missing, but ${manifest} names it.`);
        const pair = await fromPkcs8(record.alg, pkcs8).catch((error: Error) => {
          throw new KeyStoreError(`${path} is damaged: ${error.message}.`);
        });
        if (pair.kid !== record.kid) throw new KeyStoreError(`${path} holds another key than its name says.`);
        return { record, pkcs8 };
      }),
  );
}

/** @throws {KeyStoreError} when the table has a ring already; nothing is changed then */
export async function importKeyFiles(
  table: KeyTable,
  cipher: PrivateKeyCipher,
  keys: readonly KeyFile[],
): Promise<void> {
  await table.lock();
  if ((await table.list()).length > 0) throw new KeyStoreError('There are signing keys in the database already.');
  for (const { record, pkcs8 } of keys) {
    const sealed = pkcs8 === undefined ? undefined : await sealPrivateKey(cipher, record.kid, pkcs8);
    await table.insert({ ...record, sealed });
  }
}
