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

/** A place where signing keys live, new and empty, as processes of a deployment would open it. */
export type Home = {
  clock: { at: Date; now(): Date };
  /** One more process on the same home. */
  open(options?: { mayCreate?: boolean; algorithm?: string; secrets?: Record<string, string> }): Promise<KeyStore>;
  /** Takes the private part of a key away. */
  lose(kid: string): Promise<void>;
  /** Takes the whole ring away. */
  loseAll(): Promise<void>;
  /** The keys whose private part is there, so that they could sign. */
  privateKids(): Promise<string[]>;
};

export type HomeKind = { name: 'keyfile' | 'postgres_key'; start(): Promise<Home> };

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

const startHome = async (
  settings: Record<string, string>,
  home: Omit<Home, 'open' | 'clock'>,
  secrets: Record<string, string> = {},
): Promise<Home> => {
  await database.query('home_empty', 'delete from signing_keys');
  const clock = { at: start, now: () => clock.at };
  return {
    clock,
    ...home,
    async open({ mayCreate = true, algorithm = 'ES256', secrets: other = {} } = {}) {
      const named = Object.entries({ ...settings, SIGNING_ALGORITHM: algorithm, STORAGE_DRIVER: 'postgres' });
      const env = {
        ...Object.fromEntries(named.map(([name, value]) => [`AUTHPLANE_${name}`, value])),
        AUTHPLANE_STORAGE_POSTGRES_DSN: dsn,
        ...secrets,
        ...other,
      };
      const { config } = loadConfig({ env });
      const { cipher, close } = await openDataCipher(config, env, () => {});
      after(close);
      return openKeyStore({ config, database, cipher, mayCreate, clock });
    },
  };
};

const keyfile: HomeKind = {
  name: 'keyfile',
  async start() {
    const parent = await mkdtemp(join(tmpdir(), 'key-home-'));
    after(() => rm(parent, { recursive: true }));
    const directory = join(parent, 'keys');
    return startHome(
      { SIGNING_KEY_STORE: 'keyfile', SIGNING_KEY_PATH: directory },
      {
        lose: (kid) => rm(join(directory, `${kid}.pem`)),
        loseAll: () => rm(directory, { recursive: true }),
        privateKids: async () =>
          (await readdir(directory)).filter((name) => name.endsWith('.pem')).map((name) => name.slice(0, -4)),
      },
    );
  },
};

const postgresKey: HomeKind = {
  name: 'postgres_key',
  async start() {
    return startHome(
      { SIGNING_KEY_STORE: 'postgres_key', ...encryption },
      {
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
      masterKeys,
    );
  },
};

export const homeKinds: readonly HomeKind[] = [keyfile, postgresKey];

export const kidOf = (records: readonly KeyRecord[], state: KeyState): string => {
  const found = records.find((record) => record.state === state);
  if (!found) throw new Error(`no ${state} key`);
  return found.kid;
};

export const later = (seconds: number): Date => new Date(start.getTime() + seconds * 1000);
