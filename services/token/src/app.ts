import { timeouts } from '@authserver/config';
import {
  createHttpServer,
  type HttpServer,
  healthRoutes,
  logDenial,
  sendOAuthError,
  toOAuthError,
} from '@authserver/http';
import { invalidRequest, OAuthError } from '@authserver/oauth';
import cookie from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendPage } from './authorization/pages.ts';
import type { TokenPlane } from './deps.ts';
import { accountRoute } from './routes/account.ts';
import { authorizeRoute } from './routes/authorize.ts';
import { clientConfigurationRoute } from './routes/client-configuration.ts';
import { consentRoute } from './routes/consent.ts';
import { allowCrossOrigin } from './routes/cors.ts';
import { deviceRoute } from './routes/device.ts';
import { deviceAuthorizationRoute } from './routes/device-authorization.ts';
import { deviceConfirmRoute } from './routes/device-confirm.ts';
import { exchangeConsentRoute } from './routes/exchange-consent.ts';
import { homeRoute } from './routes/home.ts';
import { introspectRoute } from './routes/introspect.ts';
import { jwksRoute } from './routes/jwks.ts';
import { loginRoute } from './routes/login.ts';
import { logoutRoute } from './routes/logout.ts';
import { oidcRoute } from './routes/oidc.ts';
import { parRoute } from './routes/par.ts';
import { registerRoute } from './routes/register.ts';
import { resourceMetadataRoute } from './routes/resource-metadata.ts';
import { revokeRoute } from './routes/revoke.ts';
import { serverMetadataRoute } from './routes/server-metadata.ts';
import { tokenRoute } from './routes/token.ts';
import { noteAttempt } from './trace/facts.ts';
import { recordConnections } from './trace/record-connections.ts';
import { messagePage } from './views/message.ts';

const form = 'application/x-www-form-urlencoded';
const json = 'application/json';
const protocolPaths = [
  '/oauth/token',
  '/oauth/par',
  '/oauth/device_authorization',
  '/oauth/revoke',
  '/oauth/introspect',
  '/oauth/register',
  '/oauth/register/:client_id',
];

/** Where clients of MCP 2025-03-26 look when they read no metadata. */
const fallbackPaths = { '/authorize': '/oauth/authorize', '/token': '/oauth/token', '/register': '/oauth/register' };

/** The data plane's HTTP server: every public endpoint is registered here, and nowhere else. */
export const createTokenApp = async (plane: TokenPlane): Promise<HttpServer> => {
  const { config } = plane;
  const app = createHttpServer({
    logger: plane.logger,
    metrics: plane.metrics,
    tracing: plane.tracing,
    headers: securityHeaders(config.session.secure),
    trustedProxies: config.server.trusted_proxies,
    ...timeouts(config),
    draining: plane.parting,
    basePath: plane.basePath,
    ...(config.oauth.fallback_paths ? { aliases: fallbackPaths } : {}),
  });
  recordConnections(app, plane.recorder, plane.clock);

  // What programs call: JSON, open to any origin, no cookies.
  await app.register(async (protocol) => {
    protocol.setErrorHandler((error, request, reply) => refuse(plane, request, reply, error));
    allowCrossOrigin(protocol, config.server.allowed_origins, [...protocolPaths, '/.well-known/*']);
    // After the CORS fields, so that a page can read the refusal; a preflight is never refused.
    protocol.addHook('onRequest', plane.limits.requests);
    await protocol.register(serverMetadataRoute, plane);
    await protocol.register(jwksRoute, plane);
    await protocol.register(resourceMetadataRoute, plane);
    await protocol.register(async (forms) => {
      forms.removeContentTypeParser(json); // RFC 6749 §3.2, RFC 7009 §2.1, RFC 7662 §2.1: forms and nothing else
      forms.addContentTypeParser('*', only(form));
      await forms.register(tokenRoute, plane);
      await forms.register(parRoute, plane);
      if (config.device.enabled) await forms.register(deviceAuthorizationRoute, plane);
      await forms.register(introspectRoute, plane);
      await forms.register(revokeRoute, plane);
    });
    await protocol.register(async (documents) => {
      documents.removeContentTypeParser(form); // RFC 7591 §3.1
      documents.addContentTypeParser('*', only(json));
      await documents.register(registerRoute, plane);
      await documents.register(clientConfigurationRoute, plane);
    });
    protocol.get('/.well-known/*', notFound);
  });

  // What people see: pages, cookies, no cross-origin access.
  await app.register(async (pages) => {
    pages.addHook('onRequest', plane.limits.requests);
    await pages.register(cookie);
    pages.removeContentTypeParser(json);
    pages.setErrorHandler((error, request, reply) => refusePage(plane, request, reply, error));
    await pages.register(homeRoute, plane);
    await pages.register(authorizeRoute, plane);
    await pages.register(loginRoute, plane);
    if (plane.providerLogin) await pages.register(oidcRoute, { ...plane, providerLogin: plane.providerLogin });
    await pages.register(consentRoute, plane);
    if (config.token_exchange.enabled) await pages.register(exchangeConsentRoute, plane);
    await pages.register(logoutRoute, plane);
    await pages.register(accountRoute, plane);
    if (config.device.enabled) {
      await pages.register(deviceRoute, plane);
      await pages.register(deviceConfirmRoute, plane);
    }
  });

  healthRoutes(app, { readiness: plane.readiness, details: false });
  app.setErrorHandler((error, request, reply) => refuse(plane, request, reply, error));
  app.setNotFoundHandler({ preHandler: plane.limits.requests }, (request, reply) => {
    if (request.headers.accept?.includes('text/html') && !/^\/(oauth|\.well-known)\//.test(request.url))
      return sendPage(
        reply,
        404,
        messagePage({ title: 'There is nothing here', lead: 'This address does not exist.' }),
      );
    return refuse(plane, request, reply, new OAuthError('not_found', 'There is nothing at this address.', 'not_found'));
  });
  return app;
};

/** In place of a parser: says what is read here. */
const only = (mediaType: string) => async (): Promise<never> => {
  throw invalidRequest(`The body must be sent as ${mediaType}.`);
};

const notFound = async (): Promise<never> => {
  throw new OAuthError('not_found', 'There is nothing at this address.', 'not_found');
};

const refuse = (plane: TokenPlane, request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply => {
  const error = toOAuthError(thrown);
  if (error.reason) plane.metrics.authDenied.inc({ reason: error.reason });
  noteAttempt(request, { error: error.code, reason: error.reason });
  return sendOAuthError(request, reply, error);
};

/** A page for what went wrong while a person was looking. */
const refusePage = (plane: TokenPlane, request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply => {
  const error = toOAuthError(thrown);
  if (error.reason) plane.metrics.authDenied.inc({ reason: error.reason });
  noteAttempt(request, { error: error.code, reason: error.reason });
  logDenial(request, error);
  const ours = error.status >= 500;
  const page = messagePage({
    ...(ours ? ownFault : error.status === 429 ? tooFast : unusable),
    requestId: request.id,
  });
  reply.headers(error.headers);
  return sendPage(reply, error.status, page);
};

const ownFault = { title: 'That did not work', lead: 'Something is wrong on our side. Please try again in a moment.' };
const tooFast = { title: 'Too many requests', lead: 'Please wait a moment and try again.' };
const unusable = {
  title: 'This request cannot be used',
  lead: 'It is incomplete or out of date. Go back to the app you came from and start again.',
};

const securityHeaders = (https: boolean): Record<string, string> => ({
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  ...(https ? { 'strict-transport-security': 'max-age=63072000; includeSubDomains' } : {}),
});
