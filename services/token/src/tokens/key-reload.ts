import type { Keyring } from '@authserver/keys';
import type { Logger } from '@authserver/telemetry';

const retryMs = 5_000;

/** Reloads the keyring, again and again while its home cannot be read: until then the keys in use stay in use. */
export const keepReloading = (keyring: Keyring, logger: Logger): (() => Promise<void>) => {
  let retry: NodeJS.Timeout | undefined;
  const reload = async (): Promise<void> => {
    clearTimeout(retry);
    const start = performance.now();
    const before = statesOf(keyring);
    try {
      await keyring.reload();
      const after = statesOf(keyring);
      if (after === before) return; // they are read every few seconds
      const duration_ms = Math.round(performance.now() - start);
      logger.info({ key_count: keyring.status().length, duration_ms }, 'the signing keys have changed');
    } catch (error) {
      logger.error({ err: error }, 'the signing keys could not be reloaded; trying again');
      retry = setTimeout(reload, retryMs);
      retry.unref();
    }
  };
  return reload;
};

const statesOf = (keyring: Keyring): string =>
  keyring
    .status()
    .map(({ kid, state }) => `${kid} ${state}`)
    .join();
