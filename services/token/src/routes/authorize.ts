import { redirectKind } from '@authserver/oauth';
import type { ConsentGrant, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Browser, SignedIn } from '../authorization/browser.ts';
import type { Codes } from '../authorization/codes.ts';
import { seeOther, sendPage } from '../authorization/pages.ts';
import type { PendingRequests } from '../authorization/pending.ts';
import {
  type AuthorizationRequest,
  RefusedRequest as Refused,
  type RefusedRequest,
  type RequestDeps,
  readAuthorizationRequest,
  UntrustedRequest,
} from '../authorization/request.ts';
import { codeResponse, errorResponse } from '../authorization/response.ts';
import { FormBody } from '../params.ts';
import type { Clock } from '../time.ts';
import { messagePage } from '../views/message.ts';

export type AuthorizeRouteDeps = RequestDeps & {
  issuer: string;
  basePath: string;
  browser: Browser;
  codes: Codes;
  pending: PendingRequests;
  store: Store;
  clock: Clock;
  metrics: Metrics;
};

/**
 * Authorization endpoint (RFC 6749 §3.1). Checks the request, then sends the browser to sign in, to the consent page, or
 * straight back with a code. It writes no row for somebody who is not signed in: the request travels with the browser.
 */
export const authorizeRoute: FastifyPluginAsyncZod<AuthorizeRouteDeps> = async (app, deps) => {
  const { store, clock, issuer, basePath } = deps;

  // No HEAD: it would issue a code that nobody receives.
  app.get('/oauth/authorize', { schema: { querystring: FormBody }, exposeHeadRoute: false }, async (request, reply) => {
    try {
      const authorization = await readAuthorizationRequest(request.query, deps);
      const user = await deps.browser.signedIn(request);
      if (!user) return await toLogin(request, reply, authorization);
      return await answer(request, reply, authorization, user);
    } catch (error) {
      if (error instanceof UntrustedRequest) return refusePage(request, reply, error);
      if (error instanceof Refused) return refuseByRedirect(request, reply, error);
      throw error;
    } finally {
      deps.metrics.authFlowDuration.observe(reply.elapsedTime / 1000);
    }
  });

  const toLogin = async (request: FastifyRequest, reply: FastifyReply, authorization: AuthorizationRequest) => {
    const waiting = await deps.pending.sealLogin({
      path: ownPath(request),
      clientName: authorization.client.clientName,
      clientVerified: authorization.client.registrationSource === 'admin',
      redirectUri: authorization.redirectUri,
    });
    return seeOther(reply, `${basePath}/login?request=${waiting}`);
  };

  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    authorization: AuthorizationRequest,
    user: SignedIn,
  ) => {
    const { client, resource, scopes } = authorization;
    const held = await store.consentGrants.findActive(user.userId, client.clientId, resource?.id);
    if (held && mayReuse(authorization, held)) {
      const code = await deps.codes.issue(store, authorization, user, held, scopes, clock.now());
      return seeOther(reply, codeResponse(authorization, code, issuer));
    }
    const waiting = await deps.pending.sealConsent(ownPath(request), user.userId);
    return seeOther(reply, `${basePath}/consent?request=${waiting}`);
  };

  const refusePage = (request: FastifyRequest, reply: FastifyReply, error: UntrustedRequest) => {
    deny(request, error);
    const page = messagePage({
      title: 'This sign-in request cannot be used',
      lead: error.description,
      details: ['Nothing was shared. Go back to the app you came from, or ask whoever runs it.'],
      requestId: request.id,
    });
    return sendPage(reply, error.pageStatus, page);
  };

  /**
   * A client that registered itself could use our address to bounce people to its own (RFC 9700 §4.11.2), so its errors
   * are shown here first and the person decides whether to go on.
   */
  const refuseByRedirect = async (request: FastifyRequest, reply: FastifyReply, error: RefusedRequest) => {
    deny(request, error);
    const location = errorResponse(error.target, error, issuer);
    if (error.target.client.registrationSource === 'admin') return seeOther(reply, location);
    const to = await deps.pending.sealReturn(location, deps.browser.anonymousCsrf(request, reply));
    const page = messagePage({
      title: 'The app asked for something that is not possible',
      lead: error.description,
      details: [
        `App: ${error.target.client.clientName} (it registered itself)`,
        `Continuing sends your browser to: ${destinationName(error.target.redirectUri)}`,
      ],
      requestId: request.id,
      action: {
        href: `${basePath}/oauth/return?to=${to}`,
        label: 'Return to the app',
      },
    });
    return sendPage(reply, 400, page);
  };

  app.get('/oauth/return', { schema: { querystring: z.object({ to: z.string() }) } }, async (request, reply) => {
    const waiting = await deps.pending.openReturn(request.query.to);
    if (waiting && deps.browser.anonymousCsrfMatches(request, waiting.csrf)) return seeOther(reply, waiting.location);
    return sendPage(
      reply,
      400,
      messagePage({ title: 'This link has expired', lead: 'Go back to the app and try again.' }),
    );
  });

  const deny = (request: FastifyRequest, error: UntrustedRequest | RefusedRequest): void => {
    if (error.reason) deps.metrics.authDenied.inc({ reason: error.reason });
    request.log.info(
      { request_id: request.id, error: error.code, reason: error.reason },
      'authorization request denied',
    );
  };
};

/**
 * The request as a path of ours, to come back to. A request line may be in absolute form and name any host (RFC 9112
 * §3.2.2); sealed as it came, it would take whoever signs in there.
 */
const ownPath = ({ url }: FastifyRequest): string => `/oauth/authorize?${url.slice(url.indexOf('?') + 1)}`;

/**
 * A consent that covers everything is not asked for again, unless anybody on the device could pose as the client: a public
 * client at a loopback or private-use address proves nothing about itself (OAuth 2.1 §7.3.1).
 */
const mayReuse = (authorization: AuthorizationRequest, held: ConsentGrant): boolean => {
  const { client, redirectUri, scopes } = authorization;
  const assured = client.tokenEndpointAuthMethod !== 'none' || redirectKind(redirectUri) === 'https';
  return assured && scopes.every((scope) => held.scopes.includes(scope));
};

/** Host and port, or the scheme, as ASCII. */
export const destinationName = (redirectUri: string): string => {
  const { host, protocol } = new URL(redirectUri);
  return redirectKind(redirectUri) === 'private-use' ? protocol : host;
};
