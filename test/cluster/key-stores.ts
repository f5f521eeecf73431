import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openFaultyVault, type VaultFaults } from '../support/vault-server.ts';

/** Where the signing keys of a cluster may live. */
export const keyStores = ['keyfile', 'postgres_key', 'vault_transit'] as const;
export type KeyStoreName = (typeof keyStores)[number];

/** The home of the keys of one cluster. */
export type KeyHome = {
  /** Settings of a pod that reaches Vault at `vaultPort`. */
  settings(vaultPort: number | undefined): Record<string, string>;
  /** Vault, where it is one. */
  vault: { port: number; faults: VaultFaults } | undefined;
};

/** Makes it below `directory`, or in a Vault of its own. */
export const openKeyHome = async (name: KeyStoreName, directory: string): Promise<KeyHome> => {
  if (name === 'keyfile') return { settings: () => ({ SIGNING_KEY_PATH: join(directory, 'keys') }), vault: undefined };
  if (name === 'postgres_key') {
    const settings = {
      SIGNING_KEY_STORE: name,
      DATA_ENCRYPTION_DRIVER: 'aes_master',
      DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_MASTER_KEY',
      MASTER_KEY: randomBytes(32).toString('hex'),
    };
    return { settings: () => settings, vault: undefined };
  }
  const vault = await openFaultyVault();
  return {
    settings: (vaultPort) => ({
      SIGNING_KEY_STORE: name,
      VAULT_ADDR: `http://127.0.0.1:${vaultPort}`,
      VAULT_TOKEN: vault.rootToken,
      VAULT_TRANSIT_KEY_NAME: 'cluster',
      VAULT_TIMEOUT: '1s',
    }),
    vault: { port: Number(new URL(vault.address).port), faults: vault.faults },
  };
};
