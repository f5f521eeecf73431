import { redirectKind } from '@authserver/oauth';
import type { Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { messagePage } from '../views/message.ts';
import type { Browser } from './browser.ts';
import { redirectHost } from './consents.ts';
import { sendPage } from './pages.ts';
import type { PendingRequests } from './pending.ts';
import { requireUnanswered } from './pushed.ts';
import { errorResponse, sendResponse } from './response.ts';
import { RefusedRequest, type ResponseTarget, UntrustedRequest } from './target.ts';

export type RefusalDeps = {
  issuer: string;
  basePath: string;
  browser: Browser;
  pending: PendingRequests;
  store: Store;
  clock: Clock;
  metrics: Metrics;
};

/** What becomes of an authorization request that cannot be granted: a page, or an error the client is told. */
export type Refusals = {
  /** Answers what `readAuthorizationRequest` and its like throw; anything else is thrown on. */
  answer(request: FastifyRequest, reply: FastifyReply, thrown: unknown): Promise<FastifyReply>;
};

export const createRefusals = (deps: RefusalDeps): Refusals => {
  const { issuer, basePath, store } = deps;

  const note = (request: FastifyRequest, error: UntrustedRequest | RefusedRequest): void => {
    if (error.reason) deps.metrics.authDenied.inc({ reason: error.reason });
    noteAttempt(request, { error: error.code, reason: error.reason });
    request.log.info(
      { request_id: request.id, error: error.code, reason: error.reason },
      'authorization request denied',
    );
  };

  const byPage = (request: FastifyRequest, reply: FastifyReply, error: UntrustedRequest): FastifyReply => {
    note(request, error);
    const page = messagePage({
      title: 'This sign-in request cannot be used',
      lead: error.description,
      details: ['Nothing was shared. Go back to the app you came from, or ask whoever runs it.'],
      requestId: request.id,
    });
    return sendPage(reply, error.pageStatus, page);
  };

  /**
   * Whether the browser may be sent on without a word. A client that registered itself could use our address to bounce
   * people to its own (RFC 9700 §4.11.2). `prompt=none` leaves nobody to ask, so it is enough that the person at this
   * browser has once allowed the client, and an answer to that host.
   */
  const isTrusted = async (
    request: FastifyRequest,
    { client, redirectUri, silent }: ResponseTarget,
  ): Promise<boolean> => {
    if (client.registrationSource === 'admin') return true;
    const user = silent ? await deps.browser.signedIn(request) : undefined;
    return (
      user !== undefined &&
      (await store.consentGrants.hasActive(user.userId, client.clientId, redirectHost(redirectUri)))
    );
  };

  const byRedirect = async (request: FastifyRequest, reply: FastifyReply, error: RefusedRequest) => {
    const { target } = error;
    const trusted = await isTrusted(request, target);
    if (error.pushed) await requireUnanswered(store, error.pushed, deps.clock.now());
    note(request, error);
    const response = errorResponse(target, error, issuer);
    if (trusted) return sendResponse(reply, response);
    const to = await deps.pending.sealReturn(response, deps.browser.anonymousCsrf(request, reply));
    const page = messagePage({
      title: 'The app asked for something that is not possible',
      lead: error.description,
      details: [
        `App: ${target.client.clientName} (it registered itself)`,
        `Continuing sends your browser to: ${destinationName(target.redirectUri)}`,
      ],
      requestId: request.id,
      action: {
        href: `${basePath}/oauth/return?to=${to}`,
        label: 'Return to the app',
      },
    });
    return sendPage(reply, 400, page);
  };

  return {
    async answer(request, reply, thrown) {
      try {
        if (thrown instanceof RefusedRequest) return await byRedirect(request, reply, thrown);
        throw thrown;
      } catch (error) {
        if (error instanceof UntrustedRequest) return byPage(request, reply, error);
        throw error;
      }
    },
  };
};

/** Host and port, or the scheme, as ASCII. */
export const destinationName = (redirectUri: string): string => {
  const { host, protocol } = new URL(redirectUri);
  return redirectKind(redirectUri) === 'private-use' ? protocol : host;
};
