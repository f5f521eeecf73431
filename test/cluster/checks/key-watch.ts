/**
 * Watches the JWKS of every pod, and verifies tokens as a resource server does: with the keys that are served now, again a cache
 * lifetime later, and with what was served a cache lifetime before, unless the key was put into use by force.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify } from 'jose';
import type { Cluster } from '../cluster.ts';
import type { Disturbances } from '../disturbances.ts';
import type { KnownToken } from '../ledger.ts';
import type { Pod } from '../pod.ts';
import type { Violations } from '../violations.ts';

export type KeyWatch = {
  /** Verifies a token at every pod that can be asked, and at all of them again when their answer is stale. */
  verify(token: KnownToken): Promise<void>;
  /** Whether a pod that works may not know this key yet: keys made in a hurry have to get around. */
  mayBeNews(kid: string): boolean;
  /** Notes that a key is there from now on. Keys told before are older. */
  noteKey(kid: string): void;
  /** Notes that a rotation without force put this key into use: it must have been served for a cache lifetime by then. */
  noteOrderly(kid: string): void;
  /** How many such rotations there were. */
  orderly(): number;
  /** The `kid`s that a pod serves, sorted; undefined when it cannot be asked. */
  kidsOf(pod: Pod): Promise<string[] | undefined>;
  /** Verifies what is waiting for the cache lifetime, as far as it is over; returns how many. */
  verifyStale(): Promise<number>;
};

type Waiting = { token: KnownToken; notBefore: number };

export const createKeyWatch = (deps: {
  cluster: Cluster;
  disturbances: Disturbances;
  violations: Violations;
  boundMs: number;
}): KeyWatch => {
  const { cluster, disturbances, violations, boundMs } = deps;
  const firstSeen = new Map<string, number>();
  const orderly = new Set<string>();
  const waiting: Waiting[] = [];
  let looked = false;

  const noteKey = (kid: string): void => {
    if (!firstSeen.has(kid)) firstSeen.set(kid, performance.now());
  };
  const mayBeNews = (kid: string): boolean => performance.now() - (firstSeen.get(kid) ?? Number.NaN) < boundMs;

  const fetchKeys = async (pod: Pod): Promise<{ keys: JSONWebKeySet; maxAgeMs: number } | undefined> => {
    const url = `${cluster.balancer.door(pod.name)}/.well-known/jwks.json`;
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.status !== 200) {
      await answer?.arrayBuffer();
      return undefined;
    }
    const keys = (await answer.json()) as JSONWebKeySet;
    // Those of the first look have been there from before there was anybody to look.
    for (const { kid } of keys.keys)
      if (looked) noteKey(String(kid));
      else firstSeen.set(String(kid), Number.NEGATIVE_INFINITY);
    looked = true;
    const maxAge = /max-age=(\d+)/.exec(answer.headers.get('cache-control') ?? '')?.[1];
    return { keys, maxAgeMs: Number(maxAge ?? 0) * 1000 };
  };

  const verifyWith = async (token: KnownToken, keys: JSONWebKeySet, pod: Pod, when: string): Promise<void> => {
    violations.checked('jwks-verifies');
    try {
      // Its times are another question, which clocks that were moved do not answer.
      await jwtVerify(token.token, createLocalJWKSet(keys), { currentDate: new Date(token.issuedAt * 1000) });
    } catch (error) {
      const unknownKey = error instanceof errors.JWKSNoMatchingKey;
      if (unknownKey && (mayBeNews(token.kid) || disturbances.touched(pod.name, performance.now() - boundMs))) return;
      violations.add(
        'jwks-verifies',
        `${pod.name} ${when}: ${(error as Error).message}, kid ${token.kid}, served ${keys.keys.map(({ kid }) => kid)}`,
      );
    }
  };

  const verifyAt = async (token: KnownToken, when: string): Promise<number> => {
    let longest = 0;
    for (const pod of cluster.tokenPods) {
      if (!cluster.balancer.isReady(pod.name)) continue;
      const served = await fetchKeys(pod);
      if (!served) continue;
      longest = Math.max(longest, served.maxAgeMs);
      await verifyWith(token, served.keys, pod, when);
    }
    return longest;
  };

  /** Whoever fetched the keys just before the token was asked for, and may keep them for so long, must know its key. */
  const checkPublished = ({ kid, askedAt }: KnownToken, maxAgeMs: number): void => {
    const since = firstSeen.get(kid) ?? Number.NaN;
    if (!orderly.has(kid) || maxAgeMs === 0 || disturbances.excusesRefusals(since, performance.now())) return;
    violations.checked('jwks-verifies');
    const seconds = Math.round((askedAt - since) / 1000);
    if (since > askedAt - maxAgeMs + boundMs)
      violations.add('jwks-verifies', `${kid} was in use ${seconds} s after it was first served`);
  };

  return {
    noteKey,
    mayBeNews,
    noteOrderly: (kid) => void orderly.add(kid),
    orderly: () => orderly.size,
    async verify(token) {
      noteKey(token.kid);
      const maxAgeMs = await verifyAt(token, 'at once');
      checkPublished(token, maxAgeMs);
      if (token.expiresAt * 1000 > Date.now() + maxAgeMs)
        waiting.push({ token, notBefore: performance.now() + maxAgeMs });
    },
    async kidsOf(pod) {
      const served = await fetchKeys(pod);
      return served?.keys.keys.map(({ kid }) => String(kid)).sort();
    },
    async verifyStale() {
      let verified = 0;
      while (waiting[0] && waiting[0].notBefore <= performance.now()) {
        const { token } = waiting.shift() as Waiting;
        await verifyAt(token, 'a cache lifetime later');
        verified += 1;
        await sleep(1);
      }
      return verified;
    },
  };
};
