import { type Config, isScraped, timeouts } from '@authserver/config';
import { createHttpServer, type HttpServer, healthRoutes, metricsRoute, type Readiness } from '@authserver/http';
import type { Logger, Metrics } from '@authserver/telemetry';

/** What whoever watches a process without the admin role asks: metrics, and health with its details. */
export const createInternalServer = (options: {
  config: Config;
  logger: Logger;
  metrics: Metrics;
  readiness: Readiness;
  draining: () => boolean;
}): HttpServer => {
  const { config, logger, metrics, readiness, draining } = options;
  const app = createHttpServer({
    logger,
    metrics,
    trustedProxies: [],
    ...timeouts(config),
    draining,
  });
  healthRoutes(app, { readiness, details: true });
  if (isScraped(config)) metricsRoute(app, config.observability.metrics.path, metrics);
  return app;
};
