import type { FastifyInstance } from 'fastify';
import type { Readiness, Report } from './readiness.ts';

export type HealthOptions = {
  readiness: Readiness;
  /** Say what was checked and what is wrong: on internal ports only. */
  details: boolean;
};

/**
 * `/livez` depends on nothing: a database outage must not take down the pods that still serve the JWKS. `/ready` is for
 * whoever routes requests. `/health` is for people: it is also 200 while something is away that only some requests need,
 * and says `degraded`. A stranger learns the status and nothing else.
 */
export const healthRoutes = (app: FastifyInstance, { readiness, details }: HealthOptions): void => {
  const now = () => new Date().toISOString();
  const about = ({ checks }: Report) =>
    details ? { ...(checks.database && { db: checks.database.status === 'ok' ? 'ok' : 'error' }), checks } : {};

  app.get('/livez', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return { status: 'alive', time: now() };
  });

  app.get('/health', async (_request, reply) => {
    const report = await readiness.report();
    reply.code(report.status === 'failed' ? 503 : 200).header('cache-control', 'no-store');
    return { status: report.status === 'ok' ? 'ok' : 'degraded', time: now(), ...about(report) };
  });

  app.get('/ready', async (_request, reply) => {
    const report = await readiness.report();
    const ready = report.status !== 'failed';
    reply.code(ready ? 200 : 503).header('cache-control', 'no-store');
    return { status: ready ? 'ready' : 'not_ready', time: now(), ...about(report) };
  });
};
