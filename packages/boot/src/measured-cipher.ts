import { CipherUnavailableError, type DataCipher, DecryptionError } from '@authserver/encryption';
import type { Metrics } from '@authserver/telemetry';

type Counted = Pick<Metrics, 'encryptDuration' | 'encryptErrors'>;

/** Times what the cipher does, and counts what it could not do, by the driver the value needs. */
export const measuredCipher = (cipher: DataCipher, metrics: Counted): DataCipher => {
  const measured = async <T>(
    operation: 'encrypt' | 'decrypt',
    driver: DataCipher['backend'],
    work: () => Promise<T>,
  ) => {
    const start = performance.now();
    try {
      return await work();
    } catch (error) {
      const error_type = failureOf(error);
      if (error_type) metrics.encryptErrors.inc({ driver, operation, error_type });
      throw error;
    } finally {
      metrics.encryptDuration.observe({ driver, operation }, (performance.now() - start) / 1000);
    }
  };
  return {
    backend: cipher.backend,
    encrypt: (owner, plaintext) => measured('encrypt', cipher.backend, () => cipher.encrypt(owner, plaintext)),
    decrypt: (owner, sealed) => measured('decrypt', sealed.backend, () => cipher.decrypt(owner, sealed)),
    isCurrent: (sealed) => cipher.isCurrent(sealed),
  };
};

const failureOf = (error: unknown) => {
  if (error instanceof DecryptionError) return error.failure;
  return error instanceof CipherUnavailableError ? ('unavailable' as const) : undefined;
};
