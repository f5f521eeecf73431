/**
 * Private keys in Vault's Transit engine, which signs for us and never shows them. A key of the ring is a version of a
 * Transit key, named `<name>-v<version>`; its state and public part are in the table `signing_keys`.
 *
 * A Transit key has one type for ever, so each algorithm has its own: the configured name, as long as its type fits, and
 * else that name with the algorithm behind it, such as `authserver-signing-rs256`. We only ever sign with a version that is
 * named, so a version that somebody adds in Vault changes nothing here, and one whose row was never committed is not used.
 */
import { createPublicKey, verify } from 'node:crypto';
import { type VaultClient, VaultError, vaultPath } from '@authserver/vault';
import { KeyStoreError, SigningUnavailable } from './errors.ts';
import type { KeyHome, NewKey, StoredKey } from './key-home.ts';
import type { KeyRecord, Signer, SigningAlgorithm } from './key-store.ts';
import {
  fitsTransitType,
  parseVaultKid,
  readTransitKey,
  type TransitKey,
  transitTypes,
  versionsOf,
} from './transit-key.ts';

export interface TransitOptions {
  readonly vault: Pick<VaultClient, 'call'>;
  /** Where the engine is mounted. */
  readonly mount: string;
  /** Name of the Transit key. */
  readonly keyName: string;
}

export function transitKeys({ vault, mount, keyName }: TransitOptions): KeyHome {
  const call = async (method: 'GET' | 'POST', path: string, body?: Record<string, unknown>) =>
    vault.call(method, path, body).catch(asPassing);
  const read = async (name: string): Promise<TransitKey | undefined> =>
    readTransitKey(name, await call('GET', vaultPath(mount, 'keys', name)));

  /** A release of Vault that answers a change with nothing is asked for what came of it. */
  const change = async (name: string, body: Record<string, unknown>, verb?: 'rotate'): Promise<TransitKey> => {
    const path = vaultPath(mount, 'keys', name, ...(verb ? [verb] : []));
    const changed = readTransitKey(name, await call('POST', path, body)) ?? (await read(name));
    if (!changed) throw new SigningUnavailable('refused', `Vault: ${path}: there is no key afterwards`);
    return changed;
  };

  /** The Transit key for an algorithm, and what Vault knows of it. */
  const locate = async (alg: SigningAlgorithm): Promise<{ name: string; key: TransitKey | undefined }> => {
    const key = await read(keyName);
    if (key === undefined || fitsTransitType(key.type, alg)) return { name: keyName, key };
    const name = `${keyName}-${alg.toLowerCase()}`;
    return { name, key: await read(name) };
  };

  const requireType = (key: TransitKey, alg: SigningAlgorithm): TransitKey => {
    if (fitsTransitType(key.type, alg)) return key;
    throw new KeyStoreError(`The key ${key.name} in Vault is ${key.type}; for ${alg} it must be ${transitTypes[alg]}.`);
  };

  return {
    async make(alg, inUse): Promise<NewKey> {
      const { name, key } = await locate(alg);
      const known = key ? requireType(key, alg).versions[0]?.version : 0;
      // A Transit key that was made anew counts from 1 again; what verifiers may know under a name must stay what it was.
      const last = Math.max(
        known ?? 0,
        ...[...inUse].map(parseVaultKid).map((it) => (it?.name === name ? it.version : 0)),
      );
      let made = key ?? (await change(name, { type: transitTypes[alg] }));
      for (let tries = 0; (made.versions[0]?.version ?? 0) <= last; tries += 1) {
        if (tries > last) throw new SigningUnavailable('refused', `Vault: the key ${name} has no new version.`);
        made = await change(name, {}, 'rotate');
      }
      const [latest] = await versionsOf({ ...requireType(made, alg), versions: made.versions.slice(0, 1) }, alg);
      return latest as NewKey;
    },

    async find(alg) {
      const { key } = await locate(alg);
      return key === undefined ? [] : versionsOf(requireType(key, alg), alg);
    },

    open: async ({ record }) =>
      transitSigner(record, (name, body) => call('POST', vaultPath(mount, 'sign', name), body)),

    async check({ record }: StoredKey) {
      const { kid, alg, publicJwk } = record;
      const { name } = requireVaultKid(kid);
      const key = await read(name);
      const held = key && (await versionsOf(requireType(key, alg), alg)).find((version) => version.kid === kid);
      if (!held) throw new KeyStoreError(`The signing key ${kid} is not in Vault, or no longer allowed to sign there.`);
      if (JSON.stringify(held.publicJwk) !== JSON.stringify(publicJwk))
        throw new KeyStoreError(`The signing key ${kid} in Vault is another than the one published under this name.`);
    },
  };
}

/** For a ring that has keys in Vault while Vault is not configured. */
export const withoutVault: KeyHome = {
  make: () => Promise.reject(new KeyStoreError('signing.vault_transit is not configured.')),
  open: ({ record: { kid } }) => Promise.reject(notConfigured(kid)),
  check: ({ record: { kid } }) => Promise.reject(notConfigured(kid)),
};

type Sign = (name: string, body: Record<string, unknown>) => Promise<Record<string, unknown> | undefined>;

/**
 * Every signature is checked before it leaves: a Transit key that was made anew under its old name would otherwise give
 * out tokens that nobody can verify.
 */
function transitSigner({ kid, alg, publicJwk }: KeyRecord, sign: Sign): Signer {
  const { name, version } = requireVaultKid(kid);
  const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' });
  const verifies = (input: Buffer, signature: Buffer): boolean =>
    verify(alg === 'EdDSA' ? null : 'sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
  return {
    kid,
    alg,
    async sign(signingInput) {
      const input = Buffer.from(signingInput);
      const answer = await sign(name, {
        input: input.toString('base64'),
        key_version: version,
        hash_algorithm: 'sha2-256',
        marshaling_algorithm: 'jws',
        ...(alg === 'RS256' ? { signature_algorithm: 'pkcs1v15' } : {}),
      });
      const [, signedBy, encoded = ''] = /^vault:v(\d+):([\w+/=-]+)$/.exec(String(answer?.signature)) ?? [];
      const signature = Buffer.from(encoded, 'base64');
      if (Number(signedBy) !== version || !verifies(input, signature))
        throw new SigningUnavailable('refused', `Vault did not sign with the key that is published as ${kid}.`);
      return signature;
    },
  };
}

const requireVaultKid = (kid: string) => {
  const parsed = parseVaultKid(kid);
  if (!parsed) throw new KeyStoreError(`The signing key ${kid} is not one in Vault.`);
  return parsed;
};

const notConfigured = (kid: string) =>
  new KeyStoreError(`The signing key ${kid} is in Vault, but signing.vault_transit is not configured.`);

/** Whatever Vault has against us may pass: an operator mends a policy, a token, a seal. */
const asPassing = (error: unknown): never => {
  if (!(error instanceof VaultError)) throw error;
  const failure = error.failure === 'unavailable' ? 'unreachable' : error.failure;
  throw new SigningUnavailable(failure, error.message, error);
};
