import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aesMasterCipher, type MasterKey, readMasterKey } from './aes-master.ts';
import { DecryptionError, type Sealed } from './data-cipher.ts';

const key = (text: string): MasterKey => readMasterKey(text) ?? assert.fail('not a master key');
const oldKey = key('ab'.repeat(32));
const newKey = key('0123456789abcdef'.repeat(4));
const owner = 'signing-key:one';
const plaintext = Buffer.from('a private key of somebody');

const notMasterKeys: [what: string, text: string][] = [
  ['nothing', ''],
  ['a digit too few', 'a'.repeat(63)],
  ['a digit too many', 'a'.repeat(65)],
  ['base64', Buffer.alloc(48, 7).toString('base64')],
  ['a digit that is none', `${'a'.repeat(63)}g`],
  ['a line break at the end', `${'a'.repeat(64)}\n`],
];
for (const [what, text] of notMasterKeys)
  test(`${what} is no master key`, () => assert.equal(readMasterKey(text), undefined));

test('upper and lower case digits are the same master key', () => {
  assert.deepEqual(key('AB'.repeat(32)), oldKey);
});

test('the id of a master key is not a part of it', () => {
  assert.ok(!newKey.bytes.includes(newKey.id));
  assert.notDeepEqual(newKey.id, oldKey.id);
});

test('the same value is never stored as the same bytes, and holds no plaintext', async () => {
  const cipher = aesMasterCipher({ current: newKey });
  const [one, two] = await Promise.all([cipher.encrypt(owner, plaintext), cipher.encrypt(owner, plaintext)]);
  assert.notDeepEqual(one.blob, two.blob);
  assert.equal(one.blob.length, 1 + 8 + 12 + plaintext.length + 16);
  assert.ok(!one.blob.includes(plaintext.subarray(0, 8)));
});

test('a value with any bit changed, added or missing is not opened', async () => {
  const cipher = aesMasterCipher({ current: newKey, previous: oldKey });
  const { blob, backend } = await cipher.encrypt(owner, plaintext);
  const forged: Buffer[] = [Buffer.alloc(0), Buffer.concat([blob, Buffer.of(0)])];
  for (let at = 0; at < blob.length; at += 1) {
    forged.push(blob.subarray(0, at));
    for (const bit of [1, 128]) {
      const copy = Buffer.from(blob);
      copy[at] = (copy[at] as number) ^ bit;
      forged.push(copy);
    }
  }
  for (const changed of forged)
    await assert.rejects(cipher.decrypt(owner, { backend, blob: changed }), DecryptionError);
});

test('a value copied to another owner is not opened', async () => {
  const cipher = aesMasterCipher({ current: newKey });
  const sealed = await cipher.encrypt(owner, plaintext);
  for (const other of ['signing-key:two', 'signing-key:on', 'signing-key:one ', 'provider:one', ''])
    await assert.rejects(cipher.decrypt(other, sealed), /was changed, or belongs to another row/);
  assert.deepEqual(await cipher.decrypt(owner, sealed), plaintext);
});

test('what a key encrypted before is opened with it, is not current, and cannot be opened without it', async () => {
  const before = await aesMasterCipher({ current: oldKey }).encrypt(owner, plaintext);
  const during = aesMasterCipher({ current: newKey, previous: oldKey });
  assert.deepEqual(await during.decrypt(owner, before), plaintext);
  assert.equal(await during.isCurrent(before), false);

  const again = await during.encrypt(owner, plaintext);
  assert.equal(await during.isCurrent(again), true);
  const after = aesMasterCipher({ current: newKey });
  assert.deepEqual(await after.decrypt(owner, again), plaintext);
  await assert.rejects(after.decrypt(owner, before), /no configured master key .* signing-key:one/);
});

test('the name of another key on a value does not open it', async () => {
  const cipher = aesMasterCipher({ current: newKey, previous: oldKey });
  const { blob, backend } = await cipher.encrypt(owner, plaintext);
  oldKey.id.copy(blob, 1);
  await assert.rejects(cipher.decrypt(owner, { backend, blob }), /was changed, or belongs to another row/);
});

const elsewhere: [what: string, change: (sealed: Sealed) => Sealed, says: RegExp][] = [
  ['of another backend', ({ blob }) => ({ backend: 'vault_transit_encrypt', blob }), /not an aes_master value/],
  [
    'of a later version',
    ({ backend, blob }) => ({ backend, blob: Buffer.concat([Buffer.of(2), blob.subarray(1)]) }),
    /not an aes_master/,
  ],
];
for (const [what, change, says] of elsewhere)
  test(`a value ${what} is not opened and not current`, async () => {
    const cipher = aesMasterCipher({ current: newKey });
    const sealed = change(await cipher.encrypt(owner, plaintext));
    assert.equal(await cipher.isCurrent(sealed), false);
    await assert.rejects(cipher.decrypt(owner, sealed), says);
  });

test('what was stored by the first release of this format is opened', async () => {
  const blob = Buffer.from('ATHRWWeIR/z9AOW3Nn5s0RG24E1P4qb1oB1+bapp4Dx2IHkxUESB81k=', 'base64');
  assert.equal(
    (await aesMasterCipher({ current: newKey }).decrypt(owner, { backend: 'aes_master', blob })).toString(),
    'kept',
  );
});
