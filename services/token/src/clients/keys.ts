import { type Jwk, OAuthError, publicKeyProblem, publicPart } from '@authserver/oauth';
import { freshForSeconds } from '@authserver/outbound';
import type { Client } from '@authserver/store';
import { z } from 'zod';
import type { Clock } from '../time.ts';
import type { GuardedFetch } from './guarded-fetch.ts';

export type ClientKeys = {
  /**
   * The public keys of a client.
   *
   * @throws {OAuthError} `temporarily_unavailable` when they are somewhere else and cannot be had: nothing is wrong with
   *   the client's proof, and a refusal would make it drop its registration
   */
  of(client: Client): Promise<readonly Jwk[]>;
  /**
   * Newer keys than these, which `of` gave, for a client that has just replaced its own; `undefined` when there are none to ask
   * for yet.
   */
  newerOf(client: Client, than: readonly Jwk[]): Promise<readonly Jwk[] | undefined>;
};

const KeySet = z.object({ keys: z.array(z.unknown()) });

const maxBytes = 64 * 1024;
const maxSets = 1024;
const maxKeys = 100;
const bounds = { floor: 60, ceiling: 3600, unspecified: 600 };
/**
 * Between two fetches of one set, successful or not, however many unknown keys are named and also when the set is empty:
 * anybody can make up a `kid`.
 */
const cooldownMs = 30_000;

type KeptSet = { keys: readonly Jwk[] | undefined; until: number; askedAt: number };

/** Keys of clients: registered by value, or fetched from their `jwks_uri` and kept as long as its host allows. */
export const createClientKeys = (deps: {
  fetch: GuardedFetch;
  fetchTimeoutSeconds: number;
  clock: Clock;
}): ClientKeys => {
  const sets = new Map<string, KeptSet>();
  const underWay = new Map<string, Promise<readonly Jwk[]>>();
  const nowMs = () => deps.clock.now().getTime();

  const keep = (uri: string, set: KeptSet): void => {
    sets.delete(uri);
    if (sets.size >= maxSets) sets.delete(sets.keys().next().value as string);
    sets.set(uri, set);
  };

  const fetchSet = async (uri: string, client: Client): Promise<readonly Jwk[]> => {
    const before = sets.get(uri);
    const askedAt = nowMs();
    try {
      const { status, headers, body } = await deps.fetch.get(
        {
          url: uri,
          purpose: 'client_keys',
          accept: 'application/json',
          timeoutMs: deps.fetchTimeoutSeconds * 1000,
          maxBytes,
        },
        isTrusted(client),
      );
      if (status !== 200) throw new Error(`the host of the keys answered ${status}`);
      const { keys } = KeySet.parse(JSON.parse(body.toString('utf8')));
      const usable = keys
        .slice(0, maxKeys)
        .filter(
          (key): key is Jwk => typeof key === 'object' && key !== null && publicKeyProblem(key as Jwk) === undefined,
        )
        .map(publicPart);
      const seconds = Math.max(freshForSeconds(headers, deps.clock.now(), bounds), bounds.floor);
      keep(uri, { keys: usable, until: askedAt + seconds * 1000, askedAt });
      return usable;
    } catch (cause) {
      // What is still good stays good, and not a second longer: a key may have been taken away for a reason.
      keep(uri, { keys: before?.keys, until: before?.until ?? 0, askedAt });
      throw unavailable(cause);
    }
  };

  const fetchOnce = (uri: string, client: Client): Promise<readonly Jwk[]> => {
    const pending = underWay.get(uri);
    if (pending) return pending;
    const started = fetchSet(uri, client).finally(() => underWay.delete(uri));
    underWay.set(uri, started);
    return started;
  };

  return {
    async of(client) {
      const { jwks, jwksUri } = client;
      if (jwksUri === undefined) return jwks?.keys ?? [];
      const set = sets.get(jwksUri);
      if (set?.keys && set.until > nowMs()) return set.keys;
      // A fetch that went well would still be good, so the last one failed.
      if (set && !underWay.has(jwksUri) && nowMs() - set.askedAt < cooldownMs) throw unavailable();
      return fetchOnce(jwksUri, client);
    },
    async newerOf(client, than) {
      const { jwksUri } = client;
      if (jwksUri === undefined) return undefined;
      const set = sets.get(jwksUri);
      if (set?.keys && set.keys !== than && set.until > nowMs()) return set.keys; // somebody else has asked meanwhile
      if (set && !underWay.has(jwksUri) && nowMs() - set.askedAt < cooldownMs) return undefined;
      return fetchOnce(jwksUri, client).catch(() => undefined);
    },
  };
};

/** Whether an operator or a user has let it in: strangers who make up addresses must not use up its turn. */
const isTrusted = ({ registrationSource, lastUsedAt }: Client): boolean =>
  registrationSource === 'admin' || lastUsedAt !== undefined;

const unavailable = (cause?: unknown): OAuthError => keysUnavailable('its jwks_uri', cause);

export const keysUnavailable = (from: string, cause?: unknown): OAuthError =>
  new OAuthError(
    'temporarily_unavailable',
    `The client's keys could not be fetched from ${from}.`,
    'client_keys_unavailable',
    {
      headers: { 'retry-after': String(cooldownMs / 1000) },
      cause,
    },
  );
