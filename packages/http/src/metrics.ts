import { type Metrics, openMetricsType } from '@authserver/telemetry';
import type { FastifyInstance } from 'fastify';
import { asksFor } from './accept.ts';

/** Prometheus scrape endpoint; on internal listeners only. */
export const metricsRoute = (app: FastifyInstance, path: string, metrics: Metrics): void => {
  app.get(path, async (request, reply) => {
    const wanted = asksFor(request.headers.accept, openMetricsType, 'text/plain') ? 'openmetrics' : 'prometheus';
    const { contentType, body } = await metrics.render(wanted);
    return reply.type(contentType).send(body);
  });
};
