import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aesMasterCipher, CipherUnavailableError, type DataCipher, readMasterKey } from '@authserver/encryption';
import { createMetrics } from '@authserver/telemetry';
import { measuredCipher } from './measured-cipher.ts';

const current = readMasterKey('0123456789abcdef'.repeat(4)) ?? assert.fail();
const other = readMasterKey('ab'.repeat(32)) ?? assert.fail();
const plaintext = Buffer.from('kept');

test('what a cipher does is timed, and what it cannot do is counted by its reason', async () => {
  const metrics = createMetrics();
  const cipher = measuredCipher(aesMasterCipher({ current }), metrics);
  const sealed = await cipher.encrypt('a:1', plaintext);
  assert.deepEqual(await cipher.decrypt('a:1', sealed), plaintext);
  const foreign = await aesMasterCipher({ current: other }).encrypt('a:1', plaintext);
  const later = { ...sealed, blob: Buffer.concat([Buffer.of(2), sealed.blob.subarray(1)]) };
  for (const bad of [{ ...sealed, blob: Buffer.alloc(3) }, later, foreign])
    await assert.rejects(cipher.decrypt('a:1', bad));
  await assert.rejects(cipher.decrypt('a:2', sealed));
  await assert.rejects(cipher.decrypt('a:1', { ...sealed, backend: 'vault_transit_encrypt' }));

  const away = async (): Promise<never> => {
    throw new CipherUnavailableError('away');
  };
  const gone: DataCipher = { backend: 'vault_transit_encrypt', encrypt: away, decrypt: away, isCurrent: away };
  await assert.rejects(measuredCipher(gone, metrics).encrypt('a:1', plaintext), CipherUnavailableError);

  const { body } = await metrics.render();
  const counted = body.match(/^authserver_encrypt_errors_total\{.*\} [1-9].*$/gm)?.sort();
  const error = (driver: string, operation: string, type: string) =>
    `authserver_encrypt_errors_total{driver="${driver}",operation="${operation}",error_type="${type}"} 1`;
  assert.deepEqual(counted, [
    error('aes_master', 'decrypt', 'auth_failed'),
    error('aes_master', 'decrypt', 'invalid_format'),
    error('aes_master', 'decrypt', 'unknown_key'),
    error('aes_master', 'decrypt', 'unsupported_version'),
    error('vault_transit_encrypt', 'decrypt', 'invalid_format'),
    error('vault_transit_encrypt', 'encrypt', 'unavailable'),
  ]);
  const timed = /^authserver_encrypt_duration_seconds_count\{driver="aes_master",operation="decrypt"\} 5$/m;
  assert.match(body, timed);
});
