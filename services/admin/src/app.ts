/**
 * The control plane's HTTP server. It owns what an operator may see and change, behind one key; what clients and people do
 * belongs to the token service. A change goes routes/entities.ts → handlers → store, and commits with its audit event and
 * its row in the change feed.
 */

import { openApiDocument } from '@authserver/admin-api';
import { isScraped, timeouts } from '@authserver/config';
import { createHttpServer, type HttpServer, healthRoutes, metricsRoute, Problem, sendProblem } from '@authserver/http';
import type { FastifyError } from 'fastify';
import { createGuard } from './auth/guard.ts';
import { createRequestLimit } from './auth/request-limit.ts';
import type { AdminPlane } from './deps.ts';
import { entityRoutes } from './routes/entities.ts';

export const createAdminApp = async (plane: AdminPlane): Promise<HttpServer> => {
  const { config } = plane;
  const app = createHttpServer({
    logger: plane.logger,
    metrics: plane.metrics,
    tracing: plane.tracing,
    headers: securityHeaders,
    trustedProxies: config.server.trusted_proxies,
    ...timeouts(config),
    draining: plane.draining,
  });
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendProblem(request, reply, unreadableCodes.includes(error.code) ? unreadable() : error),
  );
  app.setNotFoundHandler((request, reply) =>
    sendProblem(request, reply, new Problem('not_found', 'There is nothing at this address.')),
  );
  app.removeContentTypeParser('application/x-www-form-urlencoded'); // every body here is JSON
  acceptEmptyJson(app);

  healthRoutes(app, { readiness: plane.readiness, details: true });
  if (isScraped(config)) metricsRoute(app, config.observability.metrics.path, plane.metrics);
  const document = JSON.stringify(openApiDocument());
  app.get('/admin/openapi.json', async (_request, reply) => reply.type('application/json').send(document));

  // Whatever is registered in here cannot be reached without the key, its refusals included.
  await app.register(async (guarded) => {
    guarded.addHook('onRequest', createRequestLimit(config, plane.metrics));
    guarded.addHook('onRequest', createGuard(plane.guard));
    entityRoutes(guarded as unknown as HttpServer, plane);
  });
  return app;
};

/** What the router says of such an address repeats it, query and all. */
const unreadableCodes: readonly string[] = ['FST_ERR_BAD_URL', 'FST_ERR_MAX_PARAM_LENGTH'];
const unreadable = () => new Problem('invalid_request', 'The address could not be read.');

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

/** Some tools announce JSON and send nothing; for an operation without a body that is no mistake. */
const acceptEmptyJson = (app: HttpServer): void => {
  const parse = app.getDefaultJsonParser('remove', 'remove');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else parse(request, body as string, done);
  });
};
