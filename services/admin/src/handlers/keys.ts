import type { KeyView } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import {
  KeyInUseError,
  type KeyRecord,
  type Keyring,
  type KeyStore,
  KeyTooYoungError,
  rotationsUntil,
  signsFrom,
} from '@authserver/keys';
import type { Metrics } from '@authserver/telemetry';
import type { z } from 'zod';
import { requireOwner } from '../auth/require-owner.ts';
import { neighboursOf, rotationChange } from '../keys/rotation.ts';
import type { HandlersOf } from './handler.ts';
import { conflict, notFound } from './refusals.ts';

type KeyDeps = { config: Config; keyStore: KeyStore; keyring: Keyring; metrics: Metrics };

/**
 * A ring in the database changes in the operation's own transaction. Key files have no part in it, so they change in the
 * middle of it: a database that is away stops that beforehand, and a change that fails leaves no trace.
 */
export const keyHandlers = ({ config, keyStore, keyring, metrics }: KeyDeps): HandlersOf<'key'> => {
  const reload = async () => {
    const start = performance.now();
    await keyring.reload();
    metrics.keyReloadDuration.observe((performance.now() - start) / 1000);
  };
  /** Trouble reading the ring is told by the next call. */
  const tryReload = () => reload().catch(() => {});
  /** Also when the files have moved and their announcement failed. */
  const reloadAfter = async <T>(change: Promise<T>): Promise<T> => {
    try {
      return await change.catch(toConflict);
    } finally {
      await tryReload();
    }
  };

  return {
    /** Read anew: another process may have rotated. */
    async list() {
      await reload();
      const keys = keyring.status();
      const { algorithm } = config.signing;
      const rotations = rotationsUntil(keys, algorithm);
      return { keys: keys.map(toView), ...(rotations === 0 ? {} : { algorithm_change: { to: algorithm, rotations } }) };
    },

    async rotate({ query, body, caller, store, record, afterCommit, dryRun, now }) {
      const force = query.force || body?.force === true;
      if (force) requireOwner(caller, 'A rotation with force');
      await store.settings.dcrMode(); // the database answers
      const { algorithm } = config.signing;
      const rotation = await reloadAfter(keyStore.rotate({ now, algorithm, force, dryRun, table: store.signingKeys }));
      record(rotationChange(rotation, { force, reason: body?.reason }));
      afterCommit(async () => {
        metrics.keyRotations.inc();
        await tryReload();
      });
      const { kid, alg } = rotation;
      return dryRun ? { kid, alg } : { kid, alg, ...neighboursOf(rotation) };
    },

    async retire({ params: { kid }, query, body, caller, store, record, afterCommit, dryRun, now }) {
      const force = query.force || body?.force === true;
      if (force) requireOwner(caller, 'A retirement with force');
      await store.settings.dcrMode(); // the database answers
      const retired = await reloadAfter(keyStore.retire(kid, { now, force, dryRun, table: store.signingKeys }));
      if (!retired) throw notFound('key');
      record({
        action: 'key.retired',
        feed: { kind: 'signing_key', key: kid },
        details: { kid, force, ...reasonOf(body), before: toView(retired) },
      });
      afterCommit(tryReload);
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

const reasonOf = (body: { reason?: string | undefined } | null | undefined) =>
  body?.reason === undefined ? {} : { reason: body.reason };

const toConflict = (error: unknown): never => {
  if (error instanceof KeyTooYoungError) throw conflict(`${error.message} Or rotate with force.`);
  if (error instanceof KeyInUseError)
    throw conflict(error.use === 'retiring' ? `${error.message} Wait, or retire it with force.` : error.message);
  throw error;
};
