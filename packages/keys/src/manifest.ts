/** `keyring.json`: which keys exist and in which state. Written and read here; nothing in it is secret. */
import type { JWK } from 'jose';
import { isKid, toPublicJwk } from './key-pair.ts';
import { type KeyRecord, type KeyState, keyStates, type SigningAlgorithm, signingAlgorithms } from './key-store.ts';

const VERSION = 1;

export const formatManifest = (records: readonly KeyRecord[]): string =>
  `${JSON.stringify({ version: VERSION, keys: records }, null, 2)}\n`;

/**
 * Reads a manifest. An empty list of keys is allowed: it is the mark of a ring about to be made.
 *
 * @throws {Error} naming the first thing that is wrong, without quoting the input
 */
export async function parseManifest(text: string): Promise<KeyRecord[]> {
  const manifest = parseJson(text);
  requireThat(isObject(manifest), 'not a JSON object');
  requireThat(manifest.version === VERSION, `"version" is not ${VERSION}`);
  requireThat(Array.isArray(manifest.keys), '"keys" is not an array');

  const records = await Promise.all(manifest.keys.map(parseRecord));
  if (records.length === 0) return records;
  requireThat(new Set(records.map(({ kid }) => kid)).size === records.length, 'a kid appears twice');
  for (const state of ['current', 'next'] as const) {
    requireThat(records.filter((record) => record.state === state).length === 1, `not exactly one ${state} key`);
  }
  return records;
}

async function parseRecord(row: unknown, index: number): Promise<KeyRecord> {
  const at = (member: string) => `keys[${index}].${member}`;
  requireThat(isObject(row), `keys[${index}] is not an object`);
  const { kid, alg, state, publicJwk } = row;
  // The kid becomes a file name, so its form is checked before its meaning.
  requireThat(typeof kid === 'string' && isKid(kid), `${at('kid')} is not a key id`);
  requireThat(isOneOf<SigningAlgorithm>(signingAlgorithms, alg), `${at('alg')} is not a known algorithm`);
  requireThat(isOneOf<KeyState>(keyStates, state), `${at('state')} is not a known state`);
  requireThat(isObject(publicJwk), `${at('publicJwk')} is not an object`);
  const jwk = await toPublicJwk(alg, publicJwk as JWK).catch(() => undefined);
  requireThat(jwk?.kid === kid, `${at('publicJwk')} does not have the thumbprint its kid names`);

  const date = (member: string): Date => {
    const value = row[member];
    const parsed = new Date(typeof value === 'string' ? value : Number.NaN);
    requireThat(!Number.isNaN(parsed.getTime()), `${at(member)} is not a date`);
    return parsed;
  };
  return {
    kid,
    alg,
    state,
    publicJwk: jwk,
    createdAt: date('createdAt'),
    ...(state !== 'next' ? { activatedAt: date('activatedAt') } : {}),
    ...(state === 'retiring' ? { retiredAt: date('retiredAt'), goneAfter: date('goneAfter') } : {}),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('not JSON'); // V8's message quotes the input, which might be a key someone put in the wrong place
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isOneOf = <T extends string>(allowed: readonly T[], value: unknown): value is T =>
  allowed.some((one) => one === value);

function requireThat(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(problem);
}
