import { type FormParams, formatForm } from '@authserver/http';
import { type ErrorCode, OAuthError } from '@authserver/oauth';
import type { Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { arrive, reopen } from '../authorization/arrivals.ts';
import { type Browser, origin, type SignedIn } from '../authorization/browser.ts';
import type { Codes } from '../authorization/codes.ts';
import { consentQuestion, rememberedTargets, type Targets } from '../authorization/consents.ts';
import { seeOther, sendExpired, sendPage } from '../authorization/pages.ts';
import { continuePath, type PendingRequests, toWaiting } from '../authorization/pending.ts';
import { demandsOn, isFreshEnough, isStrongEnough } from '../authorization/prompts.ts';
import type { PushedRequests } from '../authorization/pushed.ts';
import type { Refusals } from '../authorization/refusals.ts';
import {
  type Asked,
  type AuthorizationRequest,
  type RequestDeps,
  readAuthorizationRequest,
} from '../authorization/request.ts';
import { codeResponse, sendResponse } from '../authorization/response.ts';
import { RefusedRequest } from '../authorization/target.ts';
import type { DocumentRows } from '../clients/document-rows.ts';
import { formOf } from '../params.ts';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { messagePage } from '../views/message.ts';

export type AuthorizeRouteDeps = RequestDeps & {
  issuer: string;
  basePath: string;
  browser: Browser;
  codes: Codes;
  pending: PendingRequests;
  pushed: PushedRequests;
  refusals: Refusals;
  store: Store;
  clock: Clock;
  metrics: Metrics;
  /** Gives a client that is known by its document a row, before something refers to it. */
  keepClient: DocumentRows['keep'];
};

/** As much as fits, sealed, into the address of the next page. */
const longestForm = 8 * 1024;

/**
 * Authorization endpoint (RFC 6749 §3.1). Checks the request, then sends the browser to sign in, to the consent page, or
 * straight back with a code. It writes no row for somebody who is not signed in: the request travels with the browser.
 */
export const authorizeRoute: FastifyPluginAsyncZod<AuthorizeRouteDeps> = async (app, deps) => {
  const { store, clock, issuer, basePath } = deps;

  /** Reads a request and goes on with it; whatever is wrong with it becomes a page or an answer to the client. */
  const handle = async (
    request: FastifyRequest,
    reply: FastifyReply,
    asked: Promise<Asked>,
    goOn: (authorization: AuthorizationRequest, asked: Asked) => Promise<FastifyReply>,
  ): Promise<FastifyReply> => {
    try {
      const arrived = await asked;
      const authorization = await readAuthorizationRequest(arrived, deps);
      noteAttempt(request, { clientId: authorization.client.clientId });
      return await goOn(authorization, arrived);
    } catch (error) {
      return await deps.refusals.answer(request, reply, error);
    } finally {
      deps.metrics.authFlowDuration.observe(reply.elapsedTime / 1000);
    }
  };

  // No HEAD: it would issue a code that nobody receives.
  app.get('/oauth/authorize', { exposeHeadRoute: false }, (request, reply) =>
    handle(request, reply, arrive(request.query as FormParams, deps), (authorization, asked) =>
      decide(request, reply, authorization, asked),
    ),
  );

  // A form on another site brings no `SameSite` cookie along; the redirect to ourselves does.
  app.post('/oauth/authorize', { bodyLimit: longestForm }, (request, reply) =>
    handle(request, reply, arrive(formOf(request), deps), async (authorization, asked) =>
      seeOther(reply, `${basePath}${continuePath}?request=${await sealForLogin(authorization, asked)}`),
    ),
  );

  /** After a page: the same request, as old as it is. */
  app.get(
    continuePath,
    { schema: { querystring: z.object({ request: z.string() }) }, exposeHeadRoute: false },
    async (request, reply) => {
      const sealed = request.query.request;
      const waiting = (await deps.pending.openLogin(sealed)) ?? (await deps.pending.openAnyConsent(sealed));
      if (!waiting) return sendExpired(request, reply);
      return handle(request, reply, reopen(waiting, deps), (authorization, asked) =>
        decide(request, reply, authorization, asked),
      );
    },
  );

  /** To sign in, to the consent page, or back to the client. With `prompt=none` there is no page (OIDC Core §3.1.2.1). */
  const decide = async (
    request: FastifyRequest,
    reply: FastifyReply,
    authorization: AuthorizationRequest,
    asked: Asked,
  ): Promise<FastifyReply> => {
    const { client, silent, askedAt } = authorization;
    const refuse = (code: ErrorCode & ('login_required' | 'consent_required'), text: string): never => {
      throw new RefusedRequest(authorization, new OAuthError(code, text, code), authorization.pushed);
    };
    const user = await deps.browser.signedInWithConsents(request, consentQuestion(authorization));
    if (!user || !isFreshEnough(authorization, user, askedAt) || !isStrongEnough(authorization, user)) {
      if (silent) return refuse('login_required', 'The user has to sign in.');
      requireWorthwhile(authorization, user);
      return seeOther(reply, `${basePath}/login?request=${await sealForLogin(authorization, asked, user)}`);
    }
    const targets = rememberedTargets(authorization, user.consents);
    if (targets) {
      await deps.keepClient(client, clock.now(), { actorId: user.userId, ...origin(request) });
      return toClient(reply, authorization, user, targets);
    }
    if (silent) return refuse('consent_required', 'The user has to agree.');
    const waiting = await deps.pending.sealConsent(
      toWaiting(asked, client.clientId, formatForm(asked.params)),
      user.userId,
    );
    return seeOther(reply, `${basePath}/consent?request=${waiting}`);
  };

  const toClient = async (
    reply: FastifyReply,
    authorization: AuthorizationRequest,
    user: SignedIn,
    targets: Targets,
  ): Promise<FastifyReply> => {
    const issue = (on: Pick<Store, 'authorizationCodes' | 'pushedRequests'>) =>
      deps.codes.issue(on, authorization, user, targets, clock.now());
    const code = authorization.pushed ? await store.transaction(issue) : await issue(store);
    return sendResponse(reply, codeResponse(authorization, code, issuer));
  };

  /** Who signs in again is not asked who they are, unless they are to choose. */
  const sealForLogin = (authorization: AuthorizationRequest, asked: Asked, user?: SignedIn): Promise<string> => {
    const { client, redirectUri, prompts, loginHint } = authorization;
    const known = prompts.includes('select_account') ? undefined : user?.email;
    return deps.pending.sealLogin({
      ...toWaiting(asked, client.clientId, formatForm(asked.params)),
      clientName: client.clientName,
      clientVerified: client.registrationSource === 'admin',
      redirectUri,
      loginHint: loginHint ?? known,
      ...demandsOn(authorization, asked.askedAt),
    });
  };

  app.get('/oauth/return', { schema: { querystring: z.object({ to: z.string() }) } }, async (request, reply) => {
    const waiting = await deps.pending.openReturn(request.query.to);
    if (waiting && deps.browser.anonymousCsrfMatches(request, waiting.csrf))
      return sendResponse(reply, waiting.response);
    return sendPage(
      reply,
      400,
      messagePage({ title: 'This link has expired', lead: 'Go back to the app and try again.' }),
    );
  });
};

/**
 * Another sign-in must be able to help: one that was made for this very request and is still too weak will not get
 * stronger (RFC 9470 §5).
 */
const requireWorthwhile = (authorization: AuthorizationRequest, user: SignedIn | undefined): void => {
  if (!user || user.signedInAt < authorization.askedAt || isStrongEnough(authorization, user)) return;
  throw new RefusedRequest(
    authorization,
    new OAuthError(
      'unmet_authentication_requirements',
      'The user could not be authenticated as acr_values asks.',
      'authentication_unmet',
    ),
    authorization.pushed,
  );
};
