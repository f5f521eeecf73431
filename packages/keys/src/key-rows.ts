/** Rows of `signing_keys`, checked before anything of them is published or signs. Nothing of a row is quoted in an error. */
import type { JWK } from 'jose';
import { KeyStoreError } from './errors.ts';
import type { StoredKey } from './key-home.ts';
import { isKid, toPublicJwk } from './key-pair.ts';
import { type KeyState, keyStates, type PublicJwk, type SigningAlgorithm, signingAlgorithms } from './key-store.ts';
import type { KeyRow } from './key-table.ts';
import { isVaultKid } from './transit-key.ts';

/** @throws {KeyStoreError} naming the row that cannot be used */
export async function readRows(rows: readonly KeyRow[]): Promise<StoredKey[]> {
  const keys = await Promise.all(rows.map(readRow));
  for (const state of ['current', 'next'] as const)
    if (keys.length > 0 && !keys.some(({ record }) => record.state === state))
      throw new KeyStoreError(`The table signing_keys has no ${state} key. Restore it from a backup.`);
  return keys;
}

async function readRow(row: KeyRow): Promise<StoredKey> {
  const { kid, alg, state, sealed, createdAt, activatedAt, retiredAt, goneAfter } = row;
  const requireThat = (condition: boolean, problem: string) => {
    if (!condition) throw new KeyStoreError(`The signing key ${kid} in the database is damaged: ${problem}.`);
  };
  requireThat(isOneOf(signingAlgorithms, alg), 'its algorithm is not known');
  requireThat(isOneOf(keyStates, state), 'its state is not known');
  requireThat(state === 'next' || activatedAt !== undefined, 'it has no time of activation');
  requireThat(state !== 'retiring' || goneAfter !== undefined, 'it has no end');
  const publicJwk = await readPublicJwk(kid, alg as SigningAlgorithm, row.publicJwk);
  requireThat(publicJwk !== undefined, 'its public part is not the one its kid names');
  return {
    record: {
      kid,
      alg: alg as SigningAlgorithm,
      state: state as KeyState,
      publicJwk: publicJwk as PublicJwk,
      createdAt,
      ...(activatedAt && { activatedAt }),
      ...(retiredAt && { retiredAt }),
      ...(goneAfter && { goneAfter }),
    },
    ...(sealed && { sealed }),
  };
}

/** The kid of a key of ours is its thumbprint; that of a key in Vault is the name of its version. */
async function readPublicJwk(kid: string, alg: SigningAlgorithm, jwk: unknown): Promise<PublicJwk | undefined> {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const read = await toPublicJwk(alg, jwk as JWK).catch(() => undefined);
  if (read?.kid === kid && isKid(kid)) return read;
  return read && isVaultKid(kid) ? Object.freeze({ ...read, kid }) : undefined;
}

const isOneOf = <T extends string>(allowed: readonly T[], value: string): value is T =>
  allowed.some((one) => one === value);
