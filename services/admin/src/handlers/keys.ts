import type { Config } from '@authserver/config';
import { type Keyring, type KeyStore, KeyTooYoungError } from '@authserver/keys';
import type { Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { HandlersOf } from './handler.ts';
import { conflict } from './refusals.ts';

type KeyDeps = { store: Store; config: Config; keyStore: KeyStore; keyring: Keyring; metrics: Metrics };

export const keyHandlers = ({ store, config, keyStore, keyring, metrics }: KeyDeps): HandlersOf<'key'> => {
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
     * is away stops it beforehand, and a rotation that fails leaves no trace. The change is recorded last, because its lock
     * orders all changes and waiting for a key file under it would hold up every other operator.
     */
    async rotate({ query, body, caller, now }) {
      const force = query.force || body?.force === true;
      await reload();
      const before = keyring.current().kid;
      try {
        const rotated = await store.transaction(async (tx) => {
          const after = await keyStore.rotate({ now, algorithm: config.signing.algorithm, force }).catch(toConflict);
          const details = { force, before: { kid: before }, after };
          await tx.auditEvents.insert({ ...caller, action: 'key.rotated', at: now, details });
          await tx.changes.record('signing_key', after.kid);
          return after;
        });
        metrics.keyRotations.inc();
        return rotated;
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
