import type { Jwk } from '@authserver/oauth';
import { compactVerify, importJWK } from 'jose';

/**
 * The payload of a JWT, read as JSON, when one of these keys signed it with this algorithm; `undefined` when none did. A
 * payload that is no JSON is `undefined` inside.
 */
export type SignatureCheck = (
  jwt: string,
  candidates: readonly Jwk[],
  alg: string,
) => Promise<{ payload: unknown } | undefined>;

/** Checks what others signed: clients, and identity providers. A key is imported once, for as long as somebody holds it. */
export const createSignatureCheck = (): SignatureCheck => {
  const imported = new WeakMap<Jwk, ReturnType<typeof importJWK>>();
  const toKey = (jwk: Jwk, alg: string): ReturnType<typeof importJWK> => {
    const known = imported.get(jwk);
    if (known) return known;
    const made = importJWK({ ...jwk, alg } as Parameters<typeof importJWK>[0], alg);
    // A key that names no algorithm may come with another one (RS256, PS256) next time.
    if (jwk.alg !== undefined || jwk.kty !== 'RSA') imported.set(jwk, made);
    return made;
  };

  return async (jwt, candidates, alg) => {
    for (const candidate of candidates) {
      const verified = await toKey(candidate, alg)
        .then((key) => compactVerify(jwt, key, { algorithms: [alg] }))
        .catch(() => undefined);
      if (verified) return { payload: parse(verified.payload) };
    }
    return undefined;
  };
};

const parse = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
};
