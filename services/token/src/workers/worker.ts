/** One of several token processes behind a port. Everything it needs comes from its parent, and so does every order. */
import type { Socket } from 'node:net';
import { isAway, letGarbageGather, prepare, reloadKeys } from '@authserver/boot';
import { receive } from '@authserver/http';
import { openTelemetry, type Telemetry } from '@authserver/telemetry';
import type { startTokenService, TokenService } from '../start.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';

export type WorkerOptions = {
  start: typeof startTokenService;
  /** Holds the keys that settings name. */
  env: NodeJS.ProcessEnv;
};

type Serving = {
  service: TokenService;
  telemetry: Telemetry;
  /** Answers on a connection that the parent has accepted. */
  take(connection: Socket): void;
  reload(): void;
  stop(): Promise<void>;
};

/** Less than what the parent allows for last words. */
const flushMs = 2_000;

/** Waits for the order to start, then serves until the parent says `end`, or is gone. */
export const runTokenWorker = (options: WorkerOptions): void => {
  letGarbageGather();
  // A supervisor signals the whole group; the parent decides what that means and when.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  const tell = (message: FromWorker): void => void process.send?.(message);
  let serving: Serving | undefined;
  let lastTaken = 0;
  let draining = false;

  const obey = async (message: ToWorker, connection: Socket | undefined): Promise<void> => {
    switch (message.type) {
      case 'start':
        serving = await serve(message.start, options);
        if (draining) serving.service.beginDrain(); // told while it started, and nobody may take it for ready
        return tell({ type: 'serving' });
      case 'connection':
        lastTaken = message.id;
        if (connection && serving) serving.take(connection);
        else connection?.destroy();
        return tell({ type: 'taken', id: message.id });
      case 'is_it_taken':
        return tell({ type: message.id === lastTaken ? 'taken' : 'not_taken', id: message.id });
      case 'ask':
        if (!serving) return;
        return tell({ type: 'answer', id: message.id, answer: await answer(serving, message.about) });
      case 'reload_keys':
        return serving?.reload();
      case 'drain':
        draining = true;
        return serving?.service.beginDrain();
      case 'close':
        await serving?.service.close(message);
        await serving?.stop();
        await serving?.telemetry.stop(flushMs);
        return tell({ type: 'closed', metrics: (await serving?.telemetry.metrics.snapshot()) ?? [] });
      case 'end':
        return process.disconnect?.(); // and that is the end, as it is when the parent is lost
    }
  };
  process.on('message', (message: ToWorker, connection?: Socket) => {
    obey(message, connection).catch((error: Error) => {
      tell({ type: 'failed', message: error.message, away: isAway(error) });
      process.disconnect?.();
    });
  });
  tell({ type: 'up' });
};

const answer = (serving: Serving, about: 'metrics' | 'report') =>
  about === 'metrics' ? serving.telemetry.metrics.snapshot() : serving.service.readiness.report();

const serve = async (
  { config, dsn, sessionSecret, steps, succeeds }: WorkerStart,
  { start, env }: WorkerOptions,
): Promise<Serving> => {
  const telemetry = await openTelemetry(config.observability, { component: 'token', isWorker: true });
  const { metrics, tracing } = telemetry;
  const logger = telemetry.logger.child({ worker: process.pid });
  const prepared = await prepare({
    config: { ...config, session: { ...config.session, secret: sessionSecret } },
    database: { dsn, exited: new Promise(() => {}), stop: async () => {} },
    env,
    metrics,
    adminRole: false,
    warn: (message) => logger.warn(message),
  });
  const { keyring, stop } = prepared;
  const clock = { now: () => new Date() };
  try {
    let take: Serving['take'] = () => {};
    const service = await start({
      ...{ config, dsn, sessionSecret, keyring, logger, metrics, tracing, clock, steps, succeeds },
      internalListener: false,
      async open(app) {
        take = await receive(app);
        return 0;
      },
    });
    logger.info('serving');
    return { service, telemetry, take, reload: () => void reloadKeys(keyring, { logger, metrics }), stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
