/**
 * The signing keys of this process, in memory: what every token is signed with and what the JWKS shows. A store owns
 * the keys; whoever learns of a change (the change feed, SIGHUP, a rotation) calls `reload`.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { SigningUnavailable } from './errors.ts';
import type { Clock, KeyRecord, KeySet, KeyStore, PublicJwk, Signer, SigningAlgorithm } from './key-store.ts';
import { isGone, SIGN_UNCONFIRMED_SECONDS } from './lifecycle.ts';

export interface Keyring {
  /** Reads the store again. If that fails the keys in use stay, and the store's error is thrown. */
  reload(): Promise<void>;

  /**
   * The key that signs now.
   *
   * @throws {SigningUnavailable} when the store could not be read for so long that the key may have been retired
   */
  signer(): Signer;

  /** Whether the store was read lately enough to sign. What is published and verified does not depend on it. */
  isConfirmed(): boolean;

  /** What a JWT signed now says about its key. `encodedHeader` is made once per key and `typ`. */
  current(): { kid: string; alg: SigningAlgorithm; encodedHeader(typ: string): string };

  /**
   * A JWT in compact form (RFC 7515 §7.1) over claims that are already JSON. A promise only where the key lives
   * elsewhere. The default `typ` is that of an access token (RFC 9068 §2.1).
   *
   * @throws {SigningUnavailable} as `signer` does, and when the home of the key does not answer
   */
  signJwt(payloadJson: string, typ?: string): string | Promise<string>;

  /** The JWK Set (RFC 7517 §5): current, next, then retiring keys whose tokens may still live. */
  jwks(now: Date): { keys: PublicJwk[] };

  /** The public key a token of ours names. A verifier must pin `alg` to it (RFC 8725 §3.1). */
  verificationKey(kid: string): { key: KeyObject; alg: SigningAlgorithm } | undefined;

  /** Every key that is not gone, in the order of the JWKS. */
  status(): KeyRecord[];
}

interface LoadedKeys {
  readonly signer: Signer;
  readonly records: readonly KeyRecord[];
  readonly publicKeys: ReadonlyMap<string, { key: KeyObject; alg: SigningAlgorithm; record: KeyRecord }>;
  readonly encodedHeaders: Map<string, string>;
}

export interface KeyringOptions {
  readonly store: Pick<KeyStore, 'load'>;
  readonly clock: Clock;
  /** Time that only goes forward, whatever is done to the clock. */
  readonly monotonicMs?: () => number;
}

/** An empty keyring; call `reload` before anything else. */
export function createKeyring(options: KeyringOptions): Keyring {
  const { store, clock, monotonicMs = () => performance.now() } = options;
  let loaded: LoadedKeys | undefined;
  let started = 0;
  let applied = 0;
  /** When the last reading began that succeeded: no key it found current had been retired before that. */
  let confirmedMs = 0;

  const keys = (): LoadedKeys => {
    if (!loaded) throw new Error('The keyring has not been loaded.');
    return loaded;
  };
  const isConfirmed = (): boolean => monotonicMs() - confirmedMs <= SIGN_UNCONFIRMED_SECONDS * 1000;
  const signingKeys = (): LoadedKeys => {
    const signing = keys();
    if (!isConfirmed())
      throw new SigningUnavailable(
        'unconfirmed',
        `The signing keys could not be read for ${SIGN_UNCONFIRMED_SECONDS} s; the one in use may have been replaced.`,
      );
    return signing;
  };
  const encodedHeader = ({ signer, encodedHeaders }: LoadedKeys, typ: string): string => {
    let header = encodedHeaders.get(typ);
    if (header === undefined) {
      header = base64url(JSON.stringify({ alg: signer.alg, typ, kid: signer.kid }));
      encodedHeaders.set(typ, header);
    }
    return header;
  };
  const live = (now: Date) => keys().records.filter((record) => !isGone(record, now));

  return {
    async reload() {
      started += 1;
      const mine = started;
      const beganMs = monotonicMs();
      const next = prepare(await store.load());
      confirmedMs = Math.max(confirmedMs, beganMs);
      if (mine < applied) return; // a reload that began later has already finished: it read newer keys
      applied = mine;
      loaded = next;
    },

    signer: () => signingKeys().signer,
    isConfirmed,

    current() {
      const now = keys();
      const { kid, alg } = now.signer;
      return { kid, alg, encodedHeader: (typ) => encodedHeader(now, typ) };
    },

    signJwt(payloadJson, typ = 'at+jwt') {
      const now = signingKeys();
      const signingInput = `${encodedHeader(now, typ)}.${base64url(payloadJson)}`;
      const signature = now.signer.sign(signingInput);
      return signature instanceof Promise
        ? signature.then((bytes) => compact(signingInput, bytes))
        : compact(signingInput, signature);
    },

    jwks: (now) => ({ keys: live(now).map((record) => record.publicJwk) }),

    verificationKey(kid) {
      const found = keys().publicKeys.get(kid);
      if (!found || isGone(found.record, clock.now())) return undefined;
      return { key: found.key, alg: found.alg };
    },

    status: () => live(clock.now()),
  };
}

function prepare({ records, signer }: KeySet): LoadedKeys {
  const ordered = records.toSorted((a, b) => rank(a) - rank(b) || since(b) - since(a));
  const publicKeys = new Map(
    ordered.map((record) => {
      const key = createPublicKey({ key: record.publicJwk, format: 'jwk' });
      return [record.kid, { key, alg: record.alg, record }] as const;
    }),
  );
  return { signer, records: ordered, publicKeys, encodedHeaders: new Map() };
}

const rank = ({ state }: KeyRecord) => ['current', 'next', 'retiring'].indexOf(state);
const since = ({ retiredAt }: KeyRecord) => retiredAt?.getTime() ?? 0;

const base64url = (text: string): string => Buffer.from(text).toString('base64url');
const compact = (signingInput: string, signature: Buffer): string =>
  `${signingInput}.${signature.toString('base64url')}`;
