import { OAuthError, redirectKind } from '@authserver/oauth';
import type { SingleUse } from '@authserver/replay';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { reopen } from '../authorization/arrivals.ts';
import { origin, type SignedIn } from '../authorization/browser.ts';
import { recordConsent, storeConsent } from '../authorization/consents.ts';
import { formFor, seeOther, sendExpired, sendForeignAnswer, sendPage } from '../authorization/pages.ts';
import type { PendingConsent } from '../authorization/pending.ts';
import { isFreshEnough, isStrongEnough } from '../authorization/prompts.ts';
import { requireUnanswered } from '../authorization/pushed.ts';
import { AnswerForm, questionOf, sendNothingSelected, tickedScopes } from '../authorization/question.ts';
import { destinationName } from '../authorization/refusals.ts';
import { type AuthorizationRequest, readAuthorizationRequest } from '../authorization/request.ts';
import { codeResponse, errorResponse, sendResponse } from '../authorization/response.ts';
import { UntrustedRequest } from '../authorization/target.ts';
import { identityName } from '../clients/metadata-document.ts';
import { noteAttempt } from '../trace/facts.ts';
import { consentPage } from '../views/consent.ts';
import type { AuthorizeRouteDeps } from './authorize.ts';

export type ConsentRouteDeps = AuthorizeRouteDeps & { singleUse: SingleUse };

const notShared = 'Nothing was shared. Go back to the app you came from and start again.';

/** The request of a consent page, and as what it travels. */
type Opened = { authorization: AuthorizationRequest; waiting: PendingConsent };

/**
 * The consent page: a person says what a client may do for them. The request is read again from its sealed copy on every
 * step, so what is granted is what would be granted now, not what was true when the page was drawn.
 */
export const consentRoute: FastifyPluginAsyncZod<ConsentRouteDeps> = async (app, deps) => {
  const { store, clock, basePath, issuer } = deps;

  app.get('/consent', { schema: { querystring: z.object({ request: z.string() }) } }, async (request, reply) => {
    const user = await deps.browser.signedIn(request);
    if (!user) return seeOther(reply, await loginAgain(request.query.request));
    const opened = await open(request.query.request, user);
    if (!opened) return sendExpired(request, reply);
    noteAttempt(request, { clientId: opened.authorization.client.clientId });
    return ask(reply, opened, user);
  });

  app.post('/consent', { schema: { body: AnswerForm } }, async (request, reply) => {
    const form = request.body;
    const user = await deps.browser.signedIn(request);
    if (!user) return seeOther(reply, await loginAgain(form.request));
    if (!deps.browser.sessionCsrfMatches(request, form.csrf_token)) return sendForeignAnswer(request, reply, notShared);
    const opened = await open(form.request, user);
    if (!opened) return sendExpired(request, reply);
    noteAttempt(request, { clientId: opened.authorization.client.clientId });
    // What a person allows is what they were shown: not who the client has become while the page lay open.
    if (form.action === 'allow' && opened.waiting.shown !== identityName(opened.authorization.client))
      return ask(reply, opened, user, true);
    noteAttempt(request, { details: { decision: form.action } });
    try {
      if (form.action === 'deny') return await deny(request, reply, opened, user);
      return await allow(request, reply, opened, user, form);
    } catch (error) {
      if (error instanceof UntrustedRequest) return deps.refusals.answer(request, reply, error);
      throw error;
    }
  });

  /** Checks the sealed request as if it had just arrived. */
  const open = async (sealed: string, user: SignedIn): Promise<Opened | undefined> => {
    const waiting = await deps.pending.openConsent(sealed, user.userId);
    if (!waiting) return undefined;
    try {
      const authorization = await readAuthorizationRequest(await reopen(waiting, deps), deps);
      const { askedAt } = authorization;
      // The page was drawn for a sign-in that was good enough; this may be another, older one of the same user.
      const enough = isFreshEnough(authorization, user, askedAt) && isStrongEnough(authorization, user);
      return enough ? { authorization, waiting } : undefined;
    } catch (error) {
      if (error instanceof OAuthError) return undefined; // no longer possible: the client or the resource has changed
      throw error;
    }
  };

  const loginAgain = async (sealed: string): Promise<string> => {
    const waiting = await deps.pending.openAnyConsent(sealed);
    return waiting ? `${basePath}${waiting.path}` : `${basePath}/login`;
  };

  const ask = async (reply: FastifyReply, { authorization, waiting }: Opened, user: SignedIn, changed = false) => {
    const { client, redirectUri } = authorization;
    const kind = redirectKind(redirectUri);
    const page = consentPage({
      ...formFor(user, basePath, '/consent'),
      ...(await questionOf(authorization, user.userId, deps)),
      request: await deps.pending.sealShown(waiting, user.userId, identityName(client)),
      redirect: {
        display: destinationName(redirectUri),
        loopback: kind === 'loopback',
        privateScheme: kind === 'private-use',
      },
      changed,
    });
    return sendPage(reply, 200, page, redirectUri);
  };

  const allow = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { authorization, waiting }: Opened,
    user: SignedIn,
    form: AnswerForm,
  ) => {
    const { client } = authorization;
    const allowed = tickedScopes(authorization, form);
    if (!allowed) return sendNothingSelected(reply, `${basePath}/consent?request=${form.request}`);
    const now = clock.now();
    await requireFirstAnswer(waiting.id);
    await deps.keepClient(client, now, { actorId: user.userId, ...origin(request) });
    const code = await store.transaction(async (tx) => {
      const targets = await storeConsent(tx, authorization, user.userId, allowed, now);
      await recordConsent(tx, targets, {
        at: now,
        actorId: user.userId,
        clientId: client.clientId,
        ...origin(request),
      });
      return deps.codes.issue(tx, authorization, user, targets, now);
    });
    deps.metrics.consentDecisions.inc({ decision: 'granted' });
    return sendResponse(reply, codeResponse(authorization, code, issuer));
  };

  const deny = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { authorization, waiting }: Opened,
    user: SignedIn,
  ) => {
    const now = clock.now();
    await requireFirstAnswer(waiting.id);
    if (authorization.pushed) await requireUnanswered(store, authorization.pushed, now);
    await store.auditEvents.insert({
      action: 'consent.denied',
      at: now,
      actorId: user.userId,
      clientId: authorization.client.clientId,
      details: { resource: authorization.resources.map(({ uri }) => uri).join(' ') },
      ...origin(request),
    });
    deps.metrics.consentDecisions.inc({ decision: 'denied' });
    deps.metrics.authDenied.inc({ reason: 'consent_denied' });
    const error = { code: 'access_denied', description: 'The user refused.' };
    return sendResponse(reply, errorResponse(authorization, error, issuer));
  };

  /** A page that was pressed twice, or kept and pressed again, has been answered: one page, one code. */
  const requireFirstAnswer = async (pageId: string): Promise<void> => {
    if (await deps.singleUse.claim('consent_answer', pageId, { forSeconds: deps.pending.lifetimeSeconds })) return;
    throw new UntrustedRequest('This page has already been answered.', 'interaction_required');
  };
};
