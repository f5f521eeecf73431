import type { KeyView } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import {
  KeyInUseError,
  type KeyRecord,
  type Keyring,
  type KeyStore,
  KeyTooYoungError,
  signsFrom,
} from '@authserver/keys';
import type { Metrics } from '@authserver/telemetry';
import type { z } from 'zod';
import { requireOwner } from '../auth/require-owner.ts';
import type { HandlersOf } from './handler.ts';
import { conflict, notFound } from './refusals.ts';

type KeyDeps = { config: Config; keyStore: KeyStore; keyring: Keyring; metrics: Metrics };

/**
 * The key store has no part in the database's transaction, so a change of the keys comes in the middle of it: a database
 * that is away stops it beforehand, and a change that fails leaves no trace.
 */
export const keyHandlers = ({ config, keyStore, keyring, metrics }: KeyDeps): HandlersOf<'key'> => {
  const reload = async () => {
    const start = performance.now();
    await keyring.reload();
    metrics.keyReloadDuration.observe((performance.now() - start) / 1000);
  };
  /** Also when the ring has moved and its announcement failed. Trouble reading it is told by the next call. */
  const reloadAfter = async <T>(change: Promise<T>): Promise<T> => {
    try {
      return await change.catch(toConflict);
    } finally {
      await reload().catch(() => {});
    }
  };

  return {
    /** Read anew: another process may have rotated. */
    async list() {
      await reload();
      return { keys: keyring.status().map(toView) };
    },

    async rotate({ query, body, caller, store, record, afterCommit, dryRun, now }) {
      const force = query.force || body?.force === true;
      if (force) requireOwner(caller, 'A rotation with force');
      await store.settings.dcrMode(); // the database answers
      await reload();
      const before = keyring.current().kid;
      const { algorithm } = config.signing;
      const after = await reloadAfter(keyStore.rotate({ now, algorithm, force, dryRun }));
      record({
        action: 'key.rotated',
        feed: { kind: 'signing_key', key: after.kid },
        details: { force, ...reasonOf(body), before: { kid: before }, after },
      });
      afterCommit(() => metrics.keyRotations.inc());
      return dryRun ? after : { ...after, ...neighboursOf(keyring.status(), after.kid, before) };
    },

    async retire({ params: { kid }, query, body, caller, store, record, dryRun, now }) {
      const force = query.force || body?.force === true;
      if (force) requireOwner(caller, 'A retirement with force');
      if (!keyStore.retire) throw conflict(`Keys in ${config.signing.key_store} are retired by their own rules.`);
      await store.settings.dcrMode(); // the database answers
      const retired = await reloadAfter(keyStore.retire(kid, { now, force, dryRun }));
      if (!retired) throw notFound('key');
      record({
        action: 'key.retired',
        feed: { kind: 'signing_key', key: kid },
        details: { kid, force, ...reasonOf(body), before: toView(retired) },
      });
      return { kid, status: 'gone' };
    },
  };
};

const toView = (key: KeyRecord): z.output<typeof KeyView> => ({
  kid: key.kid,
  alg: key.alg,
  use: 'sig',
  status: key.state,
  created_at: key.createdAt.toISOString(),
  signs_from: key.state === 'next' ? signsFrom(key).toISOString() : undefined,
  activated_at: key.activatedAt?.toISOString(),
  retired_at: key.retiredAt?.toISOString(),
  gone_after: key.goneAfter?.toISOString(),
});

/** Of the ring as it is now: somebody else may have rotated once more, and then the key that signed before is not ours. */
const neighboursOf = (keys: readonly KeyRecord[], current: string, before: string) => {
  const next = keys.find(({ state }) => state === 'next');
  const previous = keys.find(({ kid, state }) => kid === before && state === 'retiring');
  if (!keys.some(({ kid, state }) => kid === current && state === 'current')) return {};
  return {
    ...(next ? { next: { kid: next.kid, alg: next.alg, signs_from: signsFrom(next).toISOString() } } : {}),
    ...(previous?.goneAfter ? { previous: { kid: before, gone_after: previous.goneAfter.toISOString() } } : {}),
  };
};

const reasonOf = (body: { reason?: string | undefined } | null | undefined) =>
  body?.reason === undefined ? {} : { reason: body.reason };

const toConflict = (error: unknown): never => {
  if (error instanceof KeyTooYoungError) throw conflict(`${error.message} Or rotate with force.`);
  if (error instanceof KeyInUseError)
    throw conflict(error.use === 'retiring' ? `${error.message} Wait, or retire it with force.` : error.message);
  throw error;
};
