import type { IncomingMessage, Server } from 'node:http';
import { continueSpan, createRequestLog, type Logger, type Metrics, type Tracing } from '@authserver/telemetry';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
} from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { readEmptyBodies, withoutEmptyBodies } from './empty-bodies.ts';
import { parseForm } from './form.ts';
import { clientAddress, trustedProxyCheck } from './proxies.ts';
import { createRequestIds } from './request-ids.ts';
import { responsesWith } from './standing-headers.ts';
import { endSpan, spanOf, traceRequests } from './trace-requests.ts';

export type HttpServer = FastifyInstance<
  Server,
  RawRequestDefaultExpression<Server>,
  RawReplyDefaultExpression<Server>,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export type HttpServerOptions = {
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
  /** On every answer, unless it says something else itself. */
  headers?: Readonly<Record<string, string>>;
  /** CIDR list whose `X-Forwarded-*` we believe; empty means nobody. */
  trustedProxies: readonly string[];
  readTimeoutMs: number;
  /** Longest silence on a connection whose request is being answered; 0 is no limit. */
  writeTimeoutMs: number;
  idleTimeoutMs: number;
  /** Whether this process is on its way out: then every answer is the last on its connection. */
  draining?: (() => boolean) | undefined;
  /** Path the public URL adds before every route (`/tenant`); a proxy may have taken it away already. */
  basePath?: string;
  /** Other paths under which a route is also found, such as `/token` for `/oauth/token`. */
  aliases?: Readonly<Record<string, string>>;
};

/** Headers come in one packet or two; a connection that dribbles them is somebody who collects connections. */
const headersTimeoutMs = 15_000;
/** How often Node looks for connections that are over their time: it adds to both limits. */
const timeoutCheckMs = 2_000;

/** JSON bodies; forms are capped separately at 64 KiB. */
const jsonBodyLimit = 1024 * 1024;
const formBodyLimit = 64 * 1024;

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
type Method = (typeof methods)[number];

/**
 * A Fastify instance with what both planes share: zod at the edges, request ids of our own making, limits, an access log
 * that knows paths but no queries, and request metrics by route template.
 */
export const createHttpServer = (options: HttpServerOptions): HttpServer => {
  const isTrustedProxy = trustedProxyCheck(options.trustedProxies);
  const { draining = () => false } = options;
  const logRequest = createRequestLog(options.logger);
  const app: HttpServer = Fastify({
    loggerInstance: withoutChildren(options.logger),
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: isTrustedProxy,
    bodyLimit: jsonBodyLimit,
    requestTimeout: options.readTimeoutMs,
    http: {
      requestTimeout: options.readTimeoutMs,
      headersTimeout:
        options.readTimeoutMs === 0 ? headersTimeoutMs : Math.min(headersTimeoutMs, options.readTimeoutMs),
      connectionsCheckingInterval: timeoutCheckMs,
      ...withoutEmptyBodies,
      ServerResponse: responsesWith(options.headers ?? {}),
    },
    connectionTimeout: options.writeTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    genReqId: createRequestIds(),
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 2048, querystringParser: parseForm },
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'remove',
    forceCloseConnections: 'idle',
    ...(options.basePath || options.aliases ? { rewriteUrl: toRoute(options) } : {}),
    return503OnClosing: false,
    // A path the router cannot read is refused like anything else: in the words of the plane.
    frameworkErrors: (error, request, reply) => void app.errorHandler(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: formBodyLimit },
    (_request, body, done) => done(null, parseForm(body as string)),
  );

  readEmptyBodies(app);

  if (options.tracing) traceRequests(app, options.tracing, isTrustedProxy);

  if (isTrustedProxy)
    app.addHook('onRequest', (request, _reply, done) => {
      const forwardedFor = request.headers['x-forwarded-for'];
      const peer = request.socket.remoteAddress ?? '';
      const value = clientAddress(
        peer,
        Array.isArray(forwardedFor) ? forwardedFor.join() : forwardedFor,
        isTrustedProxy,
      );
      Object.defineProperty(request, 'ip', { value });
      done();
    });

  const isAmbiguous = ambiguityCheck();
  app.addHook('onRequest', (request, reply, done) => {
    const ambiguous = isAmbiguous(request.raw);
    reply.header('x-request-id', request.id);
    if (ambiguous || draining()) reply.header('connection', 'close');
    if (ambiguous) done(new AmbiguousFraming());
    else done(request.headers['content-encoding'] === undefined ? undefined : new UnreadableEncoding());
  });

  app.addHook('onResponse', (request, reply, done) => {
    const labels = {
      method: (methods as readonly string[]).includes(request.method) ? (request.method as Method) : ('other' as const),
      path: request.is404 ? 'unmatched' : (request.routeOptions.url ?? 'unmatched'),
      status: String(reply.statusCode),
    };
    const durationMs = reply.elapsedTime;
    options.metrics.httpRequests.inc(labels);
    const span = spanOf(request);
    const observe = () => options.metrics.httpDuration.observe(labels, durationMs / 1000);
    if (span) continueSpan(span, observe);
    else observe();
    logRequest({
      level: reply.statusCode >= 500 ? 'error' : reply.statusCode >= 400 ? 'warn' : 'info',
      requestId: request.id,
      method: request.method,
      path: pathOf(request.url),
      status: reply.statusCode,
      durationMs,
      address: request.ip,
      bytes: lengthOf(reply.getHeader('content-length')),
      userAgent: request.headers['user-agent'],
      traceId: span?.traceId,
      spanId: span?.spanId,
    });
    if (span) endSpan(span, reply.statusCode);
    done();
  });

  return app;
};

const lengthOf = (header: number | string | string[] | undefined): number | undefined =>
  header === undefined ? undefined : Number(header);

/** Our own lines name the request; a logger for each request would cost more than the line. */
const withoutChildren = (logger: Logger): FastifyBaseLogger => {
  const shared: FastifyBaseLogger = Object.create(logger, { child: { value: () => shared } });
  return shared;
};

/** A compressed body would be parsed as if it were text. Nobody needs one for a few hundred bytes (RFC 9110 §8.4). */
class UnreadableEncoding extends Error {
  readonly statusCode = 415;
}

/** HTTP/1.0 has no chunks: whoever stands in front of us may see another end of the request (RFC 9112 §6.1). */
class AmbiguousFraming extends Error {
  readonly statusCode = 400;
}

/** Not the connection ends there but all that was sent on it: Node has read on, and might have read another request. */
const ambiguityCheck = (): ((request: IncomingMessage) => boolean) => {
  const ambiguous = new WeakSet<object>();
  return ({ httpVersionMajor, httpVersionMinor, headers, socket }) => {
    if (httpVersionMajor === 1 && httpVersionMinor === 0 && headers['transfer-encoding'] !== undefined)
      ambiguous.add(socket);
    return ambiguous.has(socket);
  };
};

/** The public path as the router knows it: without the issuer's own path, and an alias by its proper name. */
const toRoute =
  ({ basePath = '', aliases = {} }: Pick<HttpServerOptions, 'basePath' | 'aliases'>) =>
  ({ url = '/' }: { url?: string | undefined }): string => {
    const route = basePath === '' ? url : stripBasePath(basePath, url);
    const path = pathOf(route);
    const proper = Object.hasOwn(aliases, path) ? aliases[path] : undefined;
    return proper === undefined ? route : `${proper}${route.slice(path.length)}`;
  };

const stripBasePath = (basePath: string, url: string): string => {
  if (!url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  return rest === '' || rest.startsWith('?') ? `/${rest}` : rest.startsWith('/') ? rest : url;
};

/** The path without the query, which may hold a code or worse. */
const pathOf = (url: string): string => {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
};
