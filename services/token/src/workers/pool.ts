/**
 * Several token processes behind one port of one machine. This is their parent: it accepts connections and hands them out
 * evenly, starts workers anew when they end, adds up their metrics, speaks for their readiness, and answers no request of a
 * client itself. Each worker is what a pod is elsewhere and shares nothing with the others but the port.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Config, drainTimes, isLocalhostIssuer, parseAddress } from '@authserver/config';
import {
  type Check,
  createReadiness,
  degraded,
  drain,
  type Entrance,
  failed,
  type HttpServer,
  listen,
  listenFor,
  ok,
} from '@authserver/http';
import { createMetricsLedger, type Logger, type Metrics } from '@authserver/telemetry';
import { createInternalServer } from '../internal.ts';
import { createDoor } from './door.ts';
import { startWorker, type WorkerHandle } from './handle.ts';
import type { WorkerStart } from './messages.ts';

export type TokenWorkersOptions = Omit<WorkerStart, 'steps' | 'succeeds'> & {
  count: number;
  steps?: WorkerStart['steps'];
  logger: Logger;
  metrics: Metrics;
  /** Also serve `/metrics` and health of all workers on `server.internal_address`. */
  internalListener: boolean;
};

export type TokenWorkers = {
  port: number;
  /** Ready when every worker is. */
  checks: readonly Check[];
  beginDrain(): void;
  close(): Promise<void>;
  reloadKeys(): void;
  /** Starts every worker anew, one after the other; requests go on. */
  renew(): void;
};

const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** One that served as long was well; the next one need not wait. */
const wellMs = 30_000;
/** What a worker may take beyond its requests: to write what it still has. */
const lastWordsMs = 3_000;

export const startTokenWorkers = async (options: TokenWorkersOptions): Promise<TokenWorkers> => {
  const { config, count, logger, metrics } = options;
  const times = drainTimes(config);
  const start: Omit<WorkerStart, 'succeeds'> = {
    config: shareConnections(config, count),
    dsn: options.dsn,
    sessionSecret: options.sessionSecret,
    steps: options.steps ?? [],
  };
  const door = createDoor();
  const ledger = createMetricsLedger();
  /** By place; a place is empty while its worker is being started again. */
  const places: (WorkerHandle | undefined)[] = Array.from({ length: count });
  const all = new Set<WorkerHandle>();
  /** How long each place rests before its next worker; longer after one that ended soon. */
  const rests: number[] = [];
  let draining = false;
  let renewing = false;

  /** A worker that is watched from its start to its end, whose counts outlive it. */
  const hire = ({ succeeds } = { succeeds: true }): WorkerHandle => {
    const worker = startWorker({ ...start, succeeds });
    all.add(worker);
    const since = performance.now();
    worker.serving.then(
      () => door.admit(worker),
      () => {},
    );
    void worker.ended.then(() => {
      // Both at once: a scrape counts it either as there or as gone.
      all.delete(worker);
      door.dismiss(worker);
      ledger.bury(worker.metrics());
      const place = places.indexOf(worker);
      if (place < 0 || draining) return;
      places[place] = undefined;
      metrics.workerRestarts.inc();
      logger.error({ place }, 'a worker has ended; another one is started');
      const wasWell = performance.now() - since > wellMs;
      rests[place] = wasWell ? firstPauseMs : Math.min((rests[place] ?? firstPauseMs) * 2, longestPauseMs);
      void fill(place);
    });
    return worker;
  };

  /**
   * Gives the place to a new worker once that serves, and lets whoever had it leave.
   *
   * @returns why none came to serve
   */
  const occupy = async (place: number): Promise<string | undefined> => {
    let worker: WorkerHandle | undefined;
    try {
      worker = hire();
      await worker.serving;
    } catch (error) {
      worker?.kill();
      return (error as Error).message;
    }
    if (draining) return;
    const before = places[place];
    places[place] = worker;
    if (!before) return;
    door.dismiss(before);
    await before.close(times.waitMs + lastWordsMs, { relieved: true });
  };

  /** Puts a worker into an empty place, however many attempts that takes. */
  const fill = async (place: number): Promise<void> => {
    for (let pauseMs = rests[place] ?? firstPauseMs; !draining; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      await pause(pauseMs);
      if (draining || places[place]) return;
      const reason = await occupy(place);
      if (reason === undefined) return logger.info({ place }, 'a worker serves in its place');
      logger.error({ place, reason }, 'a worker could not be started; trying again');
    }
  };

  const renewAll = async (): Promise<void> => {
    for (const place of places.keys()) {
      if (draining) return;
      if (!places[place]) continue; // it is being started anyway
      const reason = await occupy(place);
      if (draining) return;
      if (reason !== undefined)
        return logger.error({ place, reason }, 'a worker could not be renewed; the old ones stay');
      logger.info({ place }, 'a worker was renewed');
    }
  };

  const check: Check = {
    name: 'workers',
    async look() {
      const reports = await Promise.all(places.map((worker) => worker?.report()));
      const unwell = reports.flatMap((report, place) => {
        if (!report) return [`${place}: ${places[place] ? 'does not answer' : 'is being started'}`];
        const reasons = Object.entries(report.checks).filter(([, { status }]) => status !== 'ok');
        return reasons.map(([name, { reason = '' }]) => `${place}: ${name} ${reason}`);
      });
      if (reports.some((report) => report === undefined || report.status === 'failed'))
        return failed(unwell.join('; '));
      return unwell.length === 0 ? ok : degraded(unwell.join('; '));
    },
  };

  let internal: HttpServer | undefined;
  let entrance: Entrance | undefined;
  const close = async (): Promise<void> => {
    draining = true;
    entrance?.close();
    await door.close();
    await Promise.all([...all].map((worker) => worker.close(times.waitMs + lastWordsMs)));
    if (internal) await drain(internal, 1_000);
  };

  try {
    for (const place of places.keys()) places[place] = hire({ succeeds: false });
    await Promise.all(places.map((worker) => worker?.serving));
    metrics.combineWith(async (own) => {
      await Promise.all([...all].map((worker) => worker.refreshMetrics()));
      return ledger.sum(
        own,
        [...all].map((worker) => worker.metrics()),
      );
    });
    const loopbackOnly = isLocalhostIssuer(config.server.issuer);
    entrance = await listenFor(door.pass, parseAddress(config.server.address), loopbackOnly);
    if (options.internalListener) {
      const readiness = createReadiness({ checks: () => [check], draining: () => draining });
      internal = createInternalServer({ config, logger, metrics, readiness, draining: () => draining });
      await listen(internal, parseAddress(config.server.internal_address), loopbackOnly);
    }
    return {
      port: entrance.port,
      checks: [check],
      beginDrain() {
        draining = true;
        for (const worker of all) worker.tell({ type: 'drain' });
      },
      close,
      reloadKeys() {
        for (const worker of all) worker.tell({ type: 'reload_keys' });
      },
      renew() {
        if (renewing) return;
        renewing = true;
        void renewAll().finally(() => {
          renewing = false;
        });
      },
    };
  } catch (error) {
    draining = true;
    entrance?.close();
    for (const worker of all) worker.kill();
    await Promise.all([...all].map(({ ended }) => ended));
    throw error;
  }
};

/** `storage.postgres.max_conns` is what an operator has counted for this server, however many processes it is made of. */
const shareConnections = (config: Config, count: number): Config => {
  const { postgres } = config.storage;
  const max_conns = Math.max(2, Math.floor(postgres.max_conns / count));
  const min_conns = Math.min(max_conns, Math.floor(postgres.min_conns / count));
  return { ...config, storage: { ...config.storage, postgres: { ...postgres, max_conns, min_conns } } };
};
