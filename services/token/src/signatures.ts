import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto';
import { endOfTurn } from '@authserver/http';
import { isSignedBy } from '@authserver/keys';
import { compactJws, fittingKeys, type Jwk } from '@authserver/oauth';
import { compactVerify, importJWK } from 'jose';

/** What was signed, read as JSON; a payload that is no JSON is `undefined`. */
type Opened = { payload: unknown };

/** The payload of a JWT when one of these keys signed it with this algorithm; `undefined` when none did. */
export type SignatureCheck = (jwt: string, candidates: readonly Jwk[], alg: string) => Promise<Opened | undefined>;

/** Whose keys may be replaced at any time. */
export type KeyHolder = {
  known(): Promise<readonly Jwk[]>;
  /** Newer keys than these; `undefined` when none can be had yet. */
  newer(than: readonly Jwk[]): Promise<readonly Jwk[] | undefined>;
};

/** The payload when the holder signed the JWT, with a key that is known or with one it has only just begun to use. */
export const signedByHolder = async (
  signedBy: SignatureCheck,
  jwt: string,
  header: { alg: string; kid: string | undefined },
  holder: KeyHolder,
): Promise<Opened | undefined> => {
  const known = await holder.known();
  const signed = await signedBy(jwt, fittingKeys(known, header), header.alg);
  return signed ?? signedBy(jwt, fittingKeys((await holder.newer(known)) ?? [], header), header.alg);
};

/** Checks what others signed: clients, and identity providers. A key is imported once, for as long as somebody holds it. */
export const createSignatureCheck = (): SignatureCheck => {
  const es256 = createEs256Check();
  const others = createCheckByJose();
  return async (jwt, candidates, alg) => {
    if (!compactJws.test(jwt)) return undefined;
    // In a row, as signatures are made: the tables of the curve are still in the cache (decision 0042).
    if (alg === 'ES256') await endOfTurn();
    for (const candidate of candidates) {
      const opened = alg === 'ES256' ? es256(jwt, candidate) : await others(jwt, candidate, alg);
      if (opened) return opened;
    }
    return undefined;
  };
};

/**
 * ES256 is what most of them use, and checked in place: it takes 65 µs, and two ways to the thread pool and back, which all other
 * algorithms go, take longer.
 */
const createEs256Check = () => {
  const imported = new WeakMap<Jwk, KeyObject | undefined>();
  const toKey = (jwk: Jwk): KeyObject | undefined => {
    if (!imported.has(jwk)) imported.set(jwk, importP256(jwk));
    return imported.get(jwk);
  };

  return (jwt: string, jwk: Jwk): Opened | undefined => {
    const [header = '', payload = '', signature = ''] = jwt.split('.');
    const said = decoded(header) as { alg?: unknown; crit?: unknown } | undefined;
    // An extension that must be understood is not (RFC 7515 §4.1.11).
    if (said?.alg !== 'ES256' || said.crit !== undefined) return undefined;
    const key = toKey(jwk);
    const input = `${header}.${payload}`;
    if (!key || !isSignedBy({ key, alg: 'ES256' }, input, Buffer.from(signature, 'base64url'))) return undefined;
    return { payload: decoded(payload) };
  };
};

/** Nothing for a key of another kind: with it the algorithm would be another one (RFC 8725 §3.1). */
const importP256 = (jwk: Jwk): KeyObject | undefined => {
  try {
    const key = createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
};

/** All other algorithms, on the thread pool. */
const createCheckByJose = () => {
  const imported = new WeakMap<Jwk, ReturnType<typeof importJWK>>();
  const toKey = (jwk: Jwk, alg: string): ReturnType<typeof importJWK> => {
    const known = imported.get(jwk);
    if (known) return known;
    const made = importJWK({ ...jwk, alg } as Parameters<typeof importJWK>[0], alg);
    // A key that names no algorithm may come with another one (RS256, PS256) next time.
    if (jwk.alg !== undefined || jwk.kty !== 'RSA') imported.set(jwk, made);
    return made;
  };
  return async (jwt: string, jwk: Jwk, alg: string): Promise<Opened | undefined> => {
    const verified = await toKey(jwk, alg)
      .then((key) => compactVerify(jwt, key, { algorithms: [alg] }))
      .catch(() => undefined);
    return verified && { payload: parsed(new TextDecoder().decode(verified.payload)) };
  };
};

const decoded = (part: string): unknown => parsed(Buffer.from(part, 'base64url').toString());

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
