import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Logger, Metrics, Tracing } from '@authserver/telemetry';
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
import { isClosing } from './lingering-close.ts';
import { observeRequests, pathOf } from './observe-requests.ts';
import { clientAddress, trustedProxyCheck } from './proxies.ts';
import { createRequestIds } from './request-ids.ts';
import { Answer, carryHeaders } from './responses.ts';
import { traceRequests } from './trace-requests.ts';

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

/** Where it is told of no compilers at all, Fastify loads its own, which are some megabytes for nothing. */
const setBelow = (): never => {
  throw new Error('the compilers are set before any route is');
};

/**
 * A Fastify instance with what both planes share: zod at the edges, request ids of our own making, limits, an access log
 * that knows paths but no queries, and request metrics by route template.
 */
export const createHttpServer = (options: HttpServerOptions): HttpServer => {
  const isTrustedProxy = trustedProxyCheck(options.trustedProxies);
  const { draining = () => false } = options;
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
      ServerResponse: Answer as unknown as typeof ServerResponse,
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
    schemaController: { compilersFactory: { buildValidator: setBelow, buildSerializer: setBelow } },
  }).withTypeProvider<ZodTypeProvider>();

  carryHeaders(app.server, options.headers ?? {});
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

  app.addHook('onRequest', ({ raw }, reply, done) => {
    if (isClosing(raw)) reply.hijack();
    else done();
  });

  const isAmbiguous = ambiguityCheck();
  app.addHook('onRequest', (request, reply, done) => {
    const ambiguous = isAmbiguous(request.raw);
    (reply.raw as Answer).requestId = request.id;
    if (ambiguous || draining()) reply.header('connection', 'close');
    if (ambiguous) done(new AmbiguousFraming());
    else done(request.headers['content-encoding'] === undefined ? undefined : new UnreadableEncoding());
  });

  observeRequests(app, options);

  return app;
};

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
const toRoute = ({ basePath = '', aliases = {} }: Pick<HttpServerOptions, 'basePath' | 'aliases'>) => {
  const properNames = new Map(Object.entries(aliases));
  return (request: { url?: string | undefined }): string => {
    const url = request.url ?? '/';
    const route = basePath === '' ? url : stripBasePath(basePath, url);
    const path = pathOf(route);
    const proper = properNames.get(path);
    return proper === undefined ? route : `${proper}${route.slice(path.length)}`;
  };
};

const stripBasePath = (basePath: string, url: string): string => {
  if (!url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  return rest === '' || rest.startsWith('?') ? `/${rest}` : rest.startsWith('/') ? rest : url;
};
