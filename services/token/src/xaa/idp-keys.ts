import type { IdpKeys } from '@authserver/idp';
import { type Jwk, OAuthError } from '@authserver/oauth';
import type { Trust } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { Clock } from '../time.ts';

type Idp = Pick<Trust, 'id' | 'issuer' | 'jwksUri'>;

/** The keys of identity providers, in memory. */
export type KeptIdpKeys = {
  /** @throws {OAuthError} `temporarily_unavailable` when there are none to go by: nothing is wrong with the assertion */
  of(idp: Idp): Promise<readonly Jwk[]>;
  /** Newer keys than these, which `of` gave, for an assertion that none of them signed; `undefined` when it is too early to ask. */
  newerOf(idp: Idp, than: readonly Jwk[]): Promise<readonly Jwk[] | undefined>;
  /** An operator changed the identity provider, or had its keys fetched: what is known is not used again. */
  forget(idpId: string): void;
  forgetAll(): void;
};

/**
 * Between two searches for the keys of one identity provider, successful or not and however many unknown keys are named: a
 * client can make up a `kid`, and a host that does not answer must not be waited for by everybody.
 */
const cooldownMs = 30_000;

type KeptKeys = {
  keys: readonly Jwk[] | undefined;
  freshUntil: number;
  /** While nothing newer can be had. Bounded, because a key may have been taken away for a reason. */
  usableUntil: number;
  askedAt: number;
};

/** Keeps keys for `ttlSeconds`, and for as long again while the identity provider cannot be reached. */
export const keepIdpKeys = (deps: {
  idpKeys: IdpKeys;
  ttlSeconds: number;
  clock: Clock;
  metrics: Pick<Metrics, 'oidcJwksCacheHits' | 'oidcJwksCacheMisses'>;
}): KeptIdpKeys => {
  const kept = new Map<string, KeptKeys>();
  const underWay = new Map<string, Promise<readonly Jwk[]>>();
  const nowMs = () => deps.clock.now().getTime();
  const isCooling = (idp: Idp): boolean => {
    const { askedAt } = kept.get(idp.id) ?? {};
    return askedAt !== undefined && !underWay.has(idp.id) && nowMs() - askedAt < cooldownMs;
  };

  const search = (idp: Idp): Promise<readonly Jwk[]> => {
    const askedAt = nowMs();
    // What was forgotten meanwhile is not brought back by an answer that was on its way.
    const keep = (entry: KeptKeys) => {
      if (underWay.get(idp.id) === started) kept.set(idp.id, entry);
    };
    const started: Promise<readonly Jwk[]> = deps.idpKeys
      .find(idp)
      .then(
        ({ keys }) => {
          const ttlMs = deps.ttlSeconds * 1000;
          keep({ keys, freshUntil: askedAt + ttlMs, usableUntil: askedAt + 2 * ttlMs, askedAt });
          return keys;
        },
        (cause: unknown) => {
          keep({ ...(kept.get(idp.id) ?? { keys: undefined, freshUntil: 0, usableUntil: 0 }), askedAt });
          throw unavailable(cause);
        },
      )
      .finally(() => {
        if (underWay.get(idp.id) === started) underWay.delete(idp.id);
      });
    underWay.set(idp.id, started);
    return started;
  };
  const searchOnce = (idp: Idp): Promise<readonly Jwk[]> => underWay.get(idp.id) ?? search(idp);

  return {
    async of(idp) {
      const held = kept.get(idp.id);
      if (held?.keys && held.freshUntil > nowMs()) {
        deps.metrics.oidcJwksCacheHits.inc();
        return held.keys;
      }
      deps.metrics.oidcJwksCacheMisses.inc();
      const usable = held?.keys && held.usableUntil > nowMs() ? held.keys : undefined;
      if (isCooling(idp)) return usable ?? Promise.reject(unavailable());
      return searchOnce(idp).catch((error: unknown) => usable ?? Promise.reject(error));
    },
    async newerOf(idp, than) {
      const held = kept.get(idp.id)?.keys;
      if (held && held !== than) return held; // somebody else has asked meanwhile
      return isCooling(idp) ? undefined : searchOnce(idp).catch(() => undefined);
    },
    forget(idpId) {
      kept.delete(idpId);
      underWay.delete(idpId);
    },
    forgetAll() {
      kept.clear();
      underWay.clear();
    },
  };
};

const unavailable = (cause?: unknown): OAuthError =>
  new OAuthError(
    'temporarily_unavailable',
    'The keys of the identity provider could not be fetched.',
    'idp_keys_unavailable',
    { headers: { 'retry-after': String(cooldownMs / 1000) }, cause },
  );
