/**
 * A process from its start to its end, whichever planes it serves. It owns the order: database, migrations, secrets, keys;
 * the planes; signals; readiness drops, balancers notice, requests finish; what the planes stand on goes last. What a plane
 * does is its own business, and so is what is printed.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Config, drainTimes, featureStates } from '@authserver/config';
import { openWaitingRoom } from '@authserver/http';
import { SigningUnavailable } from '@authserver/keys';
import type { Logger, Metrics } from '@authserver/telemetry';
import { letGarbageGather } from './heap.ts';
import { listenersOf, type Roles } from './listeners.ts';
import { type OpenedDatabase, type Prepared, prepare } from './prepare.ts';
import { reloadKeys } from './reload-keys.ts';
import { listenForEnd } from './signals.ts';
import { isAway, untilAvailable } from './until-available.ts';

/** The planes of a process, once they serve. */
export type Running = {
  /** Lets `/ready` say no; the ports stay open. */
  beginDrain(): void;
  /** Closes the ports, lets requests finish and ends what ran beside them. */
  close(): Promise<void>;
  /** SIGHUP, for keys that are not those of `Prepared`. */
  reloadKeys?(): void;
  /** SIGUSR2: one part after the other is started anew, where a process has parts. */
  renew?(): void;
};

export type ProcessOptions<R extends Running> = {
  config: Config;
  env: NodeJS.ProcessEnv;
  roles: Roles;
  logger: Logger;
  metrics: Metrics;
  openDatabase: () => Promise<OpenedDatabase>;
  newSigningKeys?: boolean;
  /** Told what is going on, for whoever waits. */
  progress: (message: string) => void;
  start: (prepared: Prepared) => Promise<R>;
  onReady: (running: R, prepared: Prepared) => void;
};

/** Traces and logs may take so long to leave, even where requests took all of `server.shutdown_wait`. */
const leastFlushMs = 500;

/** A start that takes longer is one a supervisor may ask about. */
const patienceMs = 1_000;

/**
 * Runs until a signal tells it to end, and resolves when everything has ended in its order, to the milliseconds that are left
 * for last words.
 *
 * @throws {Error} when it cannot start; nothing it opened is left then
 */
export const runProcess = async <R extends Running>(options: ProcessOptions<R>): Promise<number> => {
  const { config, progress } = options;
  letGarbageGather();
  const end = listenForEnd();
  const database = await options.openDatabase();
  const started = await startInTime(options, database, end.aborted);
  if (!started) return leastFlushMs;
  const { prepared, running } = started;
  process.on('SIGHUP', () => {
    void reloadKeys(prepared.keyring, options);
    running.reloadKeys?.();
  });
  process.on('SIGUSR2', () => running.renew?.());
  options.logger.info({ features: featureStates(config, prepared.dcrMode) }, 'features');
  options.onReady(running, prepared);

  // Its port is free now, and whoever takes it would be sent our password: stop dialling and let a supervisor start us.
  const lost = prepared.databaseExited.then(() => 'database lost' as const);
  const why = await Promise.race([end.told, lost]);
  if (why === 'database lost') {
    process.stderr.write('error: the embedded database has ended unexpectedly; start again\n');
    process.exit(1);
  }
  progress(`${why} received, finishing requests`);
  const endMs = performance.now() + config.server.shutdown_wait * 1000;
  running.beginDrain();
  await pause(drainTimes(config).delayMs);
  await running.close();
  await prepared.stop();
  return Math.max(leastFlushMs, endMs - performance.now());
};

/**
 * The planes and what they stand on. A database that answers one and is away for the other is waited for like one that was
 * away from the beginning.
 *
 * @returns undefined when a signal came first
 */
const startInTime = async <R extends Running>(
  options: ProcessOptions<R>,
  database: OpenedDatabase,
  signal: AbortSignal,
): Promise<{ prepared: Prepared; running: R } | undefined> => {
  let away: Error | undefined;
  for (;;) {
    const prepared = await prepareInTime(options, database, signal, away);
    if (!prepared) return undefined;
    try {
      return { prepared, running: await options.start(prepared) };
    } catch (error) {
      await prepared.stop();
      if (options.config.storage.driver === 'embedded' || !isAway(error)) throw error;
      away = error;
    }
  }
};

/**
 * What the planes stand on, waited for if the database is the operator's own and away. Meanwhile the ports answer probes.
 *
 * @param away why it has to be waited for already
 * @returns undefined when a signal came first
 */
const prepareInTime = async (
  options: Omit<ProcessOptions<Running>, 'start' | 'onReady'>,
  database: OpenedDatabase,
  signal: AbortSignal,
  away?: Error,
): Promise<Prepared | undefined> => {
  const { config, logger, metrics, roles } = options;
  let reason = 'migrations and keys are being looked at';
  let room: Promise<(() => Promise<void>) | undefined> | undefined;
  const noRoom = new AbortController();
  const openRoom = setTimeout(
    () => {
      const listeners = listenersOf(config, roles);
      room = openWaitingRoom({ listeners, logger, metrics, reason: () => reason }).catch((error: unknown) => {
        noRoom.abort(error); // a port in use is in use later as well
        return undefined;
      });
    },
    away ? 0 : patienceMs,
  );
  const warn = (message: string) => logger.warn(message);
  const work = () => prepare({ ...options, database, adminRole: roles.admin, warn });
  try {
    if (config.storage.driver === 'embedded') return await work();
    return await untilAvailable(work, {
      signal: AbortSignal.any([signal, noRoom.signal]),
      away,
      onAway(error, retryMs) {
        const missing = error instanceof SigningUnavailable ? 'home of the signing keys' : 'database';
        reason = `the ${missing} is not available yet`;
        logger.warn({ reason: error.message, retry_ms: retryMs }, `waiting for the ${missing}`);
      },
    });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw noRoom.signal.aborted ? noRoom.signal.reason : error;
  } finally {
    clearTimeout(openRoom);
    const closeRoom = await room;
    await closeRoom?.();
  }
};
