import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openDataCipher, openKeyStore } from '@authserver/boot';
import { loadConfig } from '@authserver/config';
import type { KeyRecord, KeyState, KeyStore } from '@authserver/keys';
import { type Database, openDatabase } from '@authserver/store';
import { createDatabase } from './database.ts';
import { openVault, type TestVault } from './vault-server.ts';

export type OpenOptions = {
  mayCreate?: boolean;
  algorithm?: string;
  secrets?: Record<string, string>;
  /** Settings that differ from those of the home; an empty one is not set. */
  settings?: Record<string, string>;
};

/** A place where signing keys live, new and empty, as processes of a deployment would open it. */
export type Home = {
  clock: { at: Date; now(): Date };
  /** One more process on the same home. */
  open(options?: OpenOptions): Promise<KeyStore>;
  /** Takes the private part of a key away. */
  lose(kid: string): Promise<void>;
  /** Takes the whole ring away. */
  loseAll(): Promise<void>;
  /** The keys whose private part is there. */
  privateKids(): Promise<string[]>;
  /** False where the private part of a key that is gone stays, unused. */
  deletes: boolean;
};

export type HomeKind = { name: 'keyfile' | 'postgres_key' | 'vault_transit'; start(): Promise<Home> };

export const start = new Date('2026-01-01T00:00:00Z');
export const masterKeys = { MASTER_KEY: randomBytes(32).toString('hex') };
const encryption = { DATA_ENCRYPTION_DRIVER: 'aes_master', DATA_ENCRYPTION_KEY_ENV: 'MASTER_KEY' };

/** One for the test file; a home begins by emptying the table. */
const { dsn, drop } = await createDatabase();
export const database: Database = openDatabase({
  ...{ dsn, maxConnections: 12, applicationName: 'key homes', queryTimeoutMs: 10_000 },
});
after(async () => {
  await database.end();
  await drop();
});

/** An empty table, and processes on what the settings say. */
export const openHome = async (settings: Record<string, string>): Promise<Pick<Home, 'open' | 'clock'>> => {
  await database.query('home_empty', 'delete from signing_keys');
  const clock = { at: start, now: () => clock.at };
  return {
    clock,
    async open({ mayCreate = true, algorithm = 'ES256', secrets = {}, settings: other = {} } = {}) {
      const all = { ...settings, SIGNING_ALGORITHM: algorithm, STORAGE_DRIVER: 'postgres', ...other };
      const named = Object.entries(all).filter(([, value]) => value !== '');
      const env = {
        ...Object.fromEntries(named.map(([name, value]) => [`AUTHPLANE_${name}`, value])),
        AUTHPLANE_STORAGE_POSTGRES_DSN: dsn,
        ...masterKeys,
        ...secrets,
      };
      const { config } = loadConfig({ env });
      const { cipher, ...encryption } = await openDataCipher(config, env, () => {});
      const { keyStore, ...keys } = await openKeyStore({ config, database, cipher, mayCreate, clock });
      after(() => {
        encryption.close();
        keys.close();
      });
      return keyStore;
    },
  };
};

const startHome = async (settings: Record<string, string>, home: Omit<Home, 'open' | 'clock'>): Promise<Home> => ({
  ...home,
  ...(await openHome(settings)),
});

const keyfile: HomeKind = {
  name: 'keyfile',
  async start() {
    const parent = await mkdtemp(join(tmpdir(), 'key-home-'));
    after(() => rm(parent, { recursive: true }));
    const directory = join(parent, 'keys');
    return startHome(
      { SIGNING_KEY_STORE: 'keyfile', SIGNING_KEY_PATH: directory },
      {
        deletes: true,
        lose: (kid) => rm(join(directory, `${kid}.pem`)),
        loseAll: () => rm(directory, { recursive: true }),
        privateKids: async () =>
          (await readdir(directory)).filter((name) => name.endsWith('.pem')).map((name) => name.slice(0, -4)),
      },
    );
  },
};

export const postgresKey: HomeKind = {
  name: 'postgres_key',
  async start() {
    return startHome(
      { SIGNING_KEY_STORE: 'postgres_key', ...encryption },
      {
        deletes: true,
        lose: async (kid) =>
          void (await database.query(
            'home_lose',
            'update signing_keys set enc_private = null, enc_backend = null where kid = $1',
            [kid],
          )),
        loseAll: async () => void (await database.query('home_empty', 'delete from signing_keys')),
        privateKids: async () =>
          (
            await database.query<{ kid: string }>(
              'home_private',
              'select kid from signing_keys where enc_private is not null',
            )
          ).rows.map(({ kid }) => kid),
      },
    );
  },
};

/** Without a login of its own: the tests of this store say which policies it needs. */
export const vaultSettings = (vault: TestVault, keyName: string) => ({
  SIGNING_KEY_STORE: 'vault_transit',
  VAULT_ADDR: vault.address,
  VAULT_TOKEN: vault.rootToken,
  VAULT_TRANSIT_KEY_NAME: keyName,
});

/** Deletes a Transit key, as somebody might by mistake. */
export const deleteTransitKey = async (vault: TestVault, name: string): Promise<void> => {
  await vault.root('POST', `transit/keys/${name}/config`, { deletion_allowed: true });
  await vault.root('DELETE', `transit/keys/${name}`);
};

export const newKeyName = (): string => `signing-${randomBytes(6).toString('hex')}`;

let sharedVault: Promise<TestVault> | undefined;

const vaultTransit = (vault: TestVault): HomeKind => ({
  name: 'vault_transit',
  async start() {
    const keyName = newKeyName();
    return startHome(vaultSettings(vault, keyName), {
      deletes: false,
      /** The only way is with all others: the key is made anew, and has one version less. */
      async lose(kid) {
        const name = kid.replace(/-v\d+$/, '');
        const { type } = (await vault.root('GET', `transit/keys/${name}`)).data as { type: string };
        await deleteTransitKey(vault, name);
        await vault.root('POST', `transit/keys/${name}`, { type });
      },
      loseAll: async () => void (await database.query('home_empty', 'delete from signing_keys')),
      async privateKids() {
        const { keys } = (await vault.root('GET', `transit/keys/${keyName}`)).data as { keys: object };
        return Object.keys(keys).map((version) => `${keyName}-v${version}`);
      },
    });
  },
});

/** Every kind there is. */
export const homeKinds = async (): Promise<readonly HomeKind[]> => {
  sharedVault ??= openVault();
  return [keyfile, postgresKey, vaultTransit(await sharedVault)];
};

export const kidOf = (records: readonly KeyRecord[], state: KeyState): string => {
  const found = records.find((record) => record.state === state);
  if (!found) throw new Error(`no ${state} key`);
  return found.kid;
};

export const later = (seconds: number): Date => new Date(start.getTime() + seconds * 1000);
