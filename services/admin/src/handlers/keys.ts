import type { Config } from '@authserver/config';
import { type Keyring, type KeyStore, KeyTooYoungError } from '@authserver/keys';
import type { Metrics } from '@authserver/telemetry';
import type { HandlersOf } from './handler.ts';
import { conflict } from './refusals.ts';

type KeyDeps = { config: Config; keyStore: KeyStore; keyring: Keyring; metrics: Metrics };

export const keyHandlers = ({ config, keyStore, keyring, metrics }: KeyDeps): HandlersOf<'key'> => {
  const reload = async () => {
    const start = performance.now();
    await keyring.reload();
    metrics.keyReloadDuration.observe((performance.now() - start) / 1000);
  };

  return {
    /** Read anew: another process may have rotated. */
    async list() {
      await reload();
      const keys = keyring.status().map((key) => ({
        kid: key.kid,
        alg: key.alg,
        use: 'sig' as const,
        status: key.state,
        created_at: key.createdAt.toISOString(),
        activated_at: key.activatedAt?.toISOString(),
        retired_at: key.retiredAt?.toISOString(),
      }));
      return { keys };
    },

    /**
     * The key store has no part in the database's transaction, so the rotation comes in the middle of it: a database that
     * is away stops it beforehand, and a rotation that fails leaves no trace.
     */
    async rotate({ query, body, store, record, afterCommit, dryRun, now }) {
      const force = query.force || body?.force === true;
      await store.settings.dcrMode(); // the database answers
      await reload();
      const before = keyring.current().kid;
      const { algorithm } = config.signing;
      try {
        const after = await keyStore.rotate({ now, algorithm, force, dryRun }).catch(toConflict);
        record({
          action: 'key.rotated',
          feed: { kind: 'signing_key', key: after.kid },
          details: { force, before: { kid: before }, after },
        });
        afterCommit(() => metrics.keyRotations.inc());
        return after;
      } finally {
        // Also when the ring has moved and its announcement failed. Trouble reading it is told by the next call.
        await reload().catch(() => {});
      }
    },
  };
};

const toConflict = (error: unknown): never => {
  if (error instanceof KeyTooYoungError) throw conflict(`${error.message} Or rotate with force.`);
  throw error;
};
