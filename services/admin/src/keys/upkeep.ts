import { type KeyRecord, type Keyring, type KeyStore, KeyTooYoungError, type SigningAlgorithm } from '@authserver/keys';
import type { Store } from '@authserver/store';
import type { Logger, Metrics } from '@authserver/telemetry';
import { recordChanges } from '../handlers/record-changes.ts';
import { rotationChange } from './rotation.ts';

export type KeyUpkeep = { stop(): Promise<void> };

export type KeyUpkeepOptions = {
  /** `signing.rotation_interval`; 0 is off. */
  rotationSeconds: number;
  /** `signing.algorithm`: a rotation brings it in when it has changed. */
  algorithm: SigningAlgorithm;
  store: Store;
  keyStore: KeyStore;
  keyring: Keyring;
  now: () => Date;
  logger: Logger;
  metrics: Metrics;
  /** Mean time between two looks at the ring; half a minute unless a test cannot wait. */
  checkIntervalMs?: number | undefined;
};

const usualCheckMs = 30_000;

/**
 * Reads the ring from time to time, and rotates when the current key has signed for `rotationSeconds`. When that is, the
 * ring says, so it survives restarts. Of any number of admin processes that find it is time, the first rotates under the
 * lock of the ring; the others then find a new key there.
 */
export const startKeyUpkeep = (options: KeyUpkeepOptions): KeyUpkeep => {
  const { rotationSeconds, algorithm, store, keyStore, keyring, now, logger, metrics } = options;
  const { checkIntervalMs = usualCheckMs } = options;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;

  const rotateIfDue = async (): Promise<void> => {
    const at = now();
    const ifCurrentSince = new Date(at.getTime() - rotationSeconds * 1000);
    const current = keyring.status().find(({ state }) => state === 'current');
    if (current === undefined || !isDue(current, ifCurrentSince)) return;
    const rotation = await store.transaction(async (tx) => {
      await tx.settings.dcrMode(); // the database answers, before anything moves that is not in it
      const rotation = await keyStore.rotate({ now: at, algorithm, ifCurrentSince, table: tx.signingKeys });
      if (rotation.kid === rotation.previous) return undefined;
      await recordChanges(tx, { caller: scheduler, now: at }, [rotationChange(rotation, { force: false })]);
      return rotation;
    });
    if (rotation === undefined) return;
    metrics.keyRotations.inc();
    logger.info({ kid: rotation.kid, alg: rotation.alg, previous: rotation.previous }, 'signing key rotated');
    await keyring.reload();
  };

  const check = async (): Promise<void> => {
    try {
      await keyring.reload();
    } catch (error) {
      return logger.error({ err: error }, 'the signing keys could not be read; trying again');
    }
    if (rotationSeconds === 0) return;
    try {
      await rotateIfDue();
    } catch (error) {
      if (error instanceof KeyTooYoungError) return logger.debug({ reason: error.message }, 'rotation put off');
      metrics.keyRotationFailures.inc();
      logger.error({ err: error }, 'the signing key is due for rotation and could not be rotated; trying again');
    }
  };

  const schedule = (waitMs: number): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      round = check().finally(() => schedule(checkIntervalMs * (0.8 + 0.4 * Math.random())));
    }, waitMs);
    timer.unref();
  };
  schedule(checkIntervalMs * Math.random());

  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
};

const scheduler = { actorId: 'scheduler', ip: undefined, userAgent: undefined, requestId: undefined };

const isDue = ({ activatedAt }: KeyRecord, moment: Date): boolean => activatedAt !== undefined && activatedAt <= moment;
