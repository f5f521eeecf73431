import { continueSpan, createRequestLog, type Logger, type Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpServer } from './server.ts';
import { endSpan, spanOf } from './trace-requests.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'] as const;
type Method = (typeof methods)[number];

/**
 * Counts each request when it has been answered, under its route and never under its path, which anybody may choose; and
 * writes its line of the access log.
 */
export const observeRequests = (app: HttpServer, deps: { logger: Logger; metrics: Metrics }): void => {
  const logRequest = createRequestLog(deps.logger);

  const observing = (route: string) => {
    const count = createCounting(deps.metrics, route);
    return (request: FastifyRequest, reply: FastifyReply): void => {
      const { statusCode: status, elapsedTime: durationMs } = reply;
      const span = spanOf(request);
      const { method } = request;
      if (span) continueSpan(span, () => count(method, status, durationMs / 1000));
      else count(method, status, durationMs / 1000);
      logRequest({
        level: status >= 500 ? 'error' : status >= 400 ? 'warn' : 'info',
        requestId: request.id,
        method,
        path: pathOf(request.url),
        status,
        durationMs,
        address: request.ip,
        bytes: lengthOf(reply.getHeader('content-length')),
        userAgent: request.headers['user-agent'],
        traceId: span?.traceId,
        spanId: span?.spanId,
      });
      if (span) endSpan(span, status);
    };
  };

  // A hook for each route, as Fastify puts together what it knows of one anew whenever it is asked which it was.
  app.addHook('onRoute', (route) => {
    const observe = observing(route.url);
    route.onResponse = [
      (request, reply, done) => {
        observe(request, reply);
        done();
      },
      ...[route.onResponse ?? []].flat(),
    ];
  });
  const observeUnmatched = observing('unmatched');
  app.addHook('onResponse', (request, reply, done) => {
    if (request.is404) observeUnmatched(request, reply);
    done();
  });
};

/** The series of a route, each looked up once. */
const createCounting = ({ httpRequests, httpDuration }: Metrics, path: string) => {
  const begin = (method: string, status: number) => {
    const labels = { method: asMethod(method), path, status: String(status) };
    return { requests: httpRequests.under(labels), duration: httpDuration.under(labels) };
  };
  const known = new Map<string, Map<number, ReturnType<typeof begin>>>();
  return (method: string, status: number, seconds: number): void => {
    const ofMethod = known.get(method) ?? new Map<number, ReturnType<typeof begin>>();
    const series = ofMethod.get(status) ?? begin(method, status);
    if (!ofMethod.has(status)) known.set(method, ofMethod.set(status, series));
    series.requests.inc();
    series.duration.observe(seconds);
  };
};

const asMethod = (method: string): Method =>
  (methods as readonly string[]).includes(method) ? (method as Method) : 'other';

const lengthOf = (header: number | string | string[] | undefined): number | undefined =>
  header === undefined ? undefined : Number(header);

/** The path without the query, which may hold a code or worse. */
export const pathOf = (url: string): string => {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
};
