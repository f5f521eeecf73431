import type { AdminKey, Store } from '@authserver/store';
import type { Logger } from '@authserver/telemetry';

export type KeyUse = {
  /** Remembers that a key was good just now. Returns at once; the request does not wait for it. */
  note(key: Pick<AdminKey, 'id' | 'lastUsedAt'>): void;
  /** Waits for what is being written. */
  close(): Promise<void>;
};

const accuracyMs = 60_000;

/** When keys were last used, so that an owner sees which can go. Written once a minute for one key. */
export const createKeyUse = (options: {
  adminKeys: Pick<Store['adminKeys'], 'touch'>;
  clock: { now(): Date };
  logger: Logger;
}): KeyUse => {
  const writing = new Map<string, Promise<void>>();

  return {
    note({ id, lastUsedAt }) {
      const now = options.clock.now();
      if (writing.has(id) || now.getTime() - (lastUsedAt?.getTime() ?? 0) < accuracyMs) return;
      const written = options.adminKeys
        .touch(id, now)
        .catch((error: unknown) => options.logger.warn({ err: error }, 'the use of an admin key was not noted'))
        .finally(() => writing.delete(id));
      writing.set(id, written);
    },
    async close() {
      await Promise.all(writing.values());
    },
  };
};
