import type { ClientSecret } from '@authserver/store';
import type { Logger } from '@authserver/telemetry';
import type { Clock } from '../time.ts';

export type SecretUse = {
  /** Remembers that a secret was good just now. Returns at once; nothing waits for it. */
  note(secret: ClientSecret): void;
  /** Writes what is still remembered. */
  close(): Promise<void>;
};

const accuracyMs = 60_000;
const gatherMs = 1_000;
const maxNoted = 20_000;

/**
 * When secrets were last used, so that an operator sees when the old one is no longer needed. Written beside the requests,
 * many in one statement, and once a minute for one secret: a token must not wait for it.
 */
export const createSecretUse = (options: {
  write: (uses: { secretId: string; at: Date }[]) => Promise<void>;
  clock: Clock;
  logger: Logger;
}): SecretUse => {
  const noted = new Map<string, number>();
  const pending = new Map<string, Date>();
  let timer: NodeJS.Timeout | undefined;

  const flush = async (): Promise<void> => {
    timer = undefined;
    const uses = [...pending].map(([secretId, at]) => ({ secretId, at }));
    pending.clear();
    if (uses.length > 0)
      await options
        .write(uses)
        .catch((error: unknown) => options.logger.warn({ err: error }, 'the use of client secrets was not noted'));
  };

  return {
    note({ id, lastUsedAt }) {
      const now = options.clock.now();
      const known = Math.max(noted.get(id) ?? 0, lastUsedAt?.getTime() ?? 0);
      if (now.getTime() - known < accuracyMs) return;
      if (noted.size >= maxNoted) noted.clear();
      noted.set(id, now.getTime());
      pending.set(id, now);
      timer ??= setTimeout(flush, gatherMs).unref();
    },
    async close() {
      clearTimeout(timer);
      await flush();
    },
  };
};
