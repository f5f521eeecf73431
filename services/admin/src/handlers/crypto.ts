import type { DataCipher } from '@authserver/encryption';
import { Problem } from '@authserver/http';
import type { Store } from '@authserver/store';
import type { Logger } from '@authserver/telemetry';
import { reencrypt } from '../crypto/reencrypt.ts';
import { surveyEncrypted } from '../crypto/survey.ts';
import type { HandlersOf } from './handler.ts';
import { recordChanges } from './record-changes.ts';
import { conflict } from './refusals.ts';

type CryptoDeps = { store: Store; cipher: DataCipher | undefined; logger: Logger; draining: () => boolean };

export const cryptoHandlers = ({ store, cipher, logger, draining }: CryptoDeps): HandlersOf<'crypto'> => ({
  status: () => surveyEncrypted(store, cipher),

  /** The event comes first: a run that is killed in the middle is in the audit trail as well. */
  async reencrypt({ caller, now, dryRun, progress }) {
    if (cipher === undefined) throw conflict('There is no key to encrypt with: set data_encryption.driver.');
    const { values, to_reencrypt: pending } = await surveyEncrypted(store, cipher);
    const before = values
      .filter(({ current }) => !current)
      .map(({ column, backend, key, count }) => ({ column, backend, key, count }));
    const details = { driver: cipher.backend, pending, before };
    if (!dryRun)
      await store.transaction((tx) => recordChanges(tx, { caller, now }, [{ action: 'crypto.reencrypted', details }]));
    const result = await reencrypt({ store, cipher }, { dryRun, progress, mayGoOn: () => requireRunning(draining) });
    const left = dryRun ? pending - result.reencrypted : (await surveyEncrypted(store, cipher)).to_reencrypt;
    if (!dryRun) logger.info({ ...result, left }, 'secrets were encrypted anew');
    return { ...result, left };
  },
});

const requireRunning = (draining: () => boolean): void => {
  if (draining())
    throw new Problem('unavailable', 'This server is stopping. What was done is done; run it again for the rest.');
};
