import type { Keyring } from '@authserver/keys';
import type { Logger } from '@authserver/telemetry';

const retryMs = 5_000;

/** Reloads the keyring, again and again while its home cannot be read: until then the keys in use stay in use. */
export const keepReloading = (keyring: Keyring, logger: Logger): (() => Promise<void>) => {
  let retry: NodeJS.Timeout | undefined;
  const reload = async (): Promise<void> => {
    clearTimeout(retry);
    try {
      await keyring.reload();
    } catch (error) {
      logger.error({ err: error }, 'the signing keys could not be reloaded; trying again');
      retry = setTimeout(reload, retryMs);
      retry.unref();
    }
  };
  return reload;
};
