import type { Keyring } from '@authserver/keys';
import type { Logger, Metrics } from '@authserver/telemetry';

/** Reads the signing keys again, because somebody asked. The old ones stay in use if that fails. */
export const reloadKeys = async (
  keyring: Keyring,
  { logger, metrics }: { logger: Logger; metrics: Metrics },
): Promise<void> => {
  const start = performance.now();
  try {
    await keyring.reload();
    metrics.keyReloadDuration.observe((performance.now() - start) / 1000);
    const duration_ms = Math.round(performance.now() - start);
    logger.info({ key_count: keyring.status().length, duration_ms }, 'signing keys reloaded');
  } catch (error) {
    logger.error({ err: error }, 'the signing keys could not be reloaded; the old ones stay in use');
  }
};
