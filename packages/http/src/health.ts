import type { FastifyInstance } from 'fastify';

/** What readiness depends on. `ping` rejects when the database does not answer. */
export type HealthDeps = { ping: () => Promise<unknown>; draining?: () => boolean };

/**
 * `/livez` depends on nothing: a database outage must not take down the pods that still serve the JWKS.
 * `/health` and `/ready` ask the database; `/ready` also says no while the process drains.
 */
export const healthRoutes = (app: FastifyInstance, deps: HealthDeps): void => {
  const now = () => new Date().toISOString();
  const reachable = () =>
    deps.ping().then(
      () => true,
      () => false,
    );

  app.get('/livez', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return { status: 'alive', time: now() };
  });

  app.get('/health', async (_request, reply) => {
    const ok = await reachable();
    reply.code(ok ? 200 : 503).header('cache-control', 'no-store');
    return { status: ok ? 'ok' : 'degraded', time: now(), db: ok ? 'ok' : 'error' };
  });

  app.get('/ready', async (_request, reply) => {
    const ok = await reachable();
    const ready = ok && !deps.draining?.();
    reply.code(ready ? 200 : 503).header('cache-control', 'no-store');
    return { status: ready ? 'ready' : 'not_ready', time: now(), db: ok ? 'ok' : 'error' };
  });
};
