import { temporarilyUnavailable } from '@authserver/oauth';
import type { Logger, Metrics } from '@authserver/telemetry';
import { drain } from './drain.ts';
import { healthRoutes } from './health.ts';
import { type ListenAddress, listen } from './listen.ts';
import { sendOAuthError } from './oauth-errors.ts';
import { Problem, sendProblem } from './problems.ts';
import { failed } from './readiness.ts';
import { createHttpServer } from './server.ts';

export type WaitingListener = { address: ListenAddress; loopbackOnly: boolean; plane: 'token' | 'admin' | 'internal' };

/**
 * The ports of a process that cannot serve yet: alive, not ready, and 503 to everything else, so that a supervisor waits
 * where a closed port would make it start the process again.
 *
 * @returns what closes them
 */
export const openWaitingRoom = async (options: {
  listeners: readonly WaitingListener[];
  logger: Logger;
  metrics: Metrics;
  /** What is waited for; holds no secret. */
  reason: () => string;
}): Promise<() => Promise<void>> => {
  const readiness = {
    report: async () => ({ status: 'failed' as const, checks: { start: failed(options.reason()) } }),
  };
  const apps = options.listeners.map((listener) => {
    const app = createHttpServer({
      logger: options.logger,
      metrics: options.metrics,
      trustedProxies: [],
      readTimeoutMs: 5_000,
      writeTimeoutMs: 5_000,
      idleTimeoutMs: 5_000,
      draining: () => true, // no connection outlives the answer: another server will have this port
    });
    healthRoutes(app, { readiness, details: listener.plane !== 'token' });
    app.setNotFoundHandler((request, reply) =>
      listener.plane === 'admin'
        ? sendProblem(request, reply, new Problem('unavailable', 'The server is starting.'))
        : sendOAuthError(request, reply, temporarilyUnavailable()),
    );
    return { app, listener };
  });
  const close = async (): Promise<void> => {
    await Promise.all(apps.map(({ app }) => drain(app, 200)));
  };
  try {
    for (const { app, listener } of apps) await listen(app, listener.address, listener.loopbackOnly);
  } catch (error) {
    await close();
    throw error;
  }
  return close;
};
