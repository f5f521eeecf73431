import { continueSpan, type Span, type Tracing } from '@authserver/telemetry';
import type { FastifyRequest } from 'fastify';
import type { TrustedProxies } from './proxies.ts';
import type { HttpServer } from './server.ts';

const spanKey = Symbol('span');
type Traced = FastifyRequest & { [spanKey]?: Span | undefined };

/** The span of a request that is recorded. */
export const spanOf = (request: FastifyRequest): Span | undefined => (request as Traced)[spanKey];

/** Asked every few seconds by whatever watches us. */
const untraced = new Set(['/livez', '/ready', '/health', '/metrics']);
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * A span for each request that is recorded, named by method and route template: a path is full of ids, and may hold worse.
 * Attributes are those of the OpenTelemetry conventions for HTTP servers, without address, path and query of the caller.
 *
 * Registered before all other hooks, so that what they do is part of it.
 */
export const traceRequests = (app: HttpServer, tracing: Tracing, isTrustedProxy: false | TrustedProxies): void => {
  app.addHook('onRequest', (request: Traced, _reply, done) => {
    const route = request.is404 ? undefined : request.routeOptions.url;
    if (route !== undefined && untraced.has(route)) return done();
    const method = knownMethods.has(request.method) ? request.method : '_OTHER';
    const span = tracing.begin(route === undefined ? method : `${method} ${route}`, {
      headers: request.headers,
      isTrusted: () => isTrustedProxy !== false && isTrustedProxy(request.socket.remoteAddress ?? ''),
      attributes: {
        'http.request.method': method,
        ...(route === undefined ? {} : { 'http.route': route }),
        'url.scheme': request.protocol,
        request_id: request.id,
      },
    });
    if (span === undefined) return done();
    request[spanKey] = span;
    continueSpan(span, done);
  });

  // The body arrives by events of the connection, which know nothing of the request.
  app.addHook('preValidation', (request: Traced, _reply, done) => {
    const span = request[spanKey];
    if (span === undefined) done();
    else continueSpan(span, done);
  });
};

/** After the answer, and after all that is still to be told of it. */
export const endSpan = (span: Span, status: number): void => {
  span.set({ 'http.response.status_code': status });
  span.end(status >= 500 ? { name: String(status) } : undefined);
};
