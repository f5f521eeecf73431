import type { Metrics } from '@authserver/telemetry';
import type { FastifyInstance } from 'fastify';

/** Prometheus scrape endpoint; on internal listeners only. */
export const metricsRoute = (app: FastifyInstance, path: string, metrics: Metrics): void => {
  app.get(path, async (_request, reply) => {
    const { contentType, body } = await metrics.render();
    return reply.type(contentType).send(body);
  });
};
