import { counter, histogram, type MetricSpecs } from './spec.ts';

/** Ways to encrypt what the database keeps, as `data_encryption.driver` has them. */
export const encryptionDrivers = ['aes_master', 'vault_transit_encrypt'] as const;

/** Signing keys, and the encryption of what is kept. */
export const keyMetrics = {
  keyRotations: counter('authserver_key_rotation_total', 'Signing key rotations.', {}),
  keyRotationFailures: counter(
    'authserver_key_rotation_failures_total',
    'Automatic rotations that were due and did not succeed; they are tried again.',
    {},
  ),
  keyReloadDuration: histogram('authserver_key_reload_duration_seconds', 'Reload of the signing keys.', {}),
  signingFailures: counter(
    'authserver_signing_failures_total',
    'Tokens that could not be signed: the key could not be confirmed in time, or its home is away, denies us or refuses.',
    { reason: ['unconfirmed', 'unreachable', 'denied', 'refused'] },
  ),
  remoteSigningDuration: histogram(
    'authserver_remote_signing_duration_seconds',
    'Signatures by a key that lives elsewhere (vault_transit), failures included.',
    {},
  ),
  encryptDuration: histogram(
    'authserver_encrypt_duration_seconds',
    'Encryptions and decryptions of a value the database keeps, failures included.',
    { driver: encryptionDrivers, operation: ['encrypt', 'decrypt'] },
  ),
  encryptErrors: counter(
    'authserver_encrypt_errors_total',
    'Values that could not be encrypted or decrypted: not in the format of the driver, of a later version, encrypted with a key that is not configured, changed or moved to another row, or the home of the key is away.',
    {
      driver: encryptionDrivers,
      operation: ['encrypt', 'decrypt'],
      error_type: ['invalid_format', 'unsupported_version', 'unknown_key', 'auth_failed', 'unavailable'],
    },
  ),
} satisfies MetricSpecs;
