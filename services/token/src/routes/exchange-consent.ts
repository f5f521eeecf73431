import { includesAll, isRegisteredRedirectUri, OAuthError, redirectKind, withResponseParams } from '@authserver/oauth';
import type { SingleUse } from '@authserver/replay';
import type { Client, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Browser, origin, type SignedIn } from '../authorization/browser.ts';
import { type ConsentTicket, type ConsentTickets, consentTicketPath } from '../authorization/consent-tickets.ts';
import { type ConsentRequest, recordConsent, storeConsent } from '../authorization/consents.ts';
import { loginBefore, nextPageFields } from '../authorization/next-page.ts';
import { formFor, seeOther, sendForeignAnswer, sendPage } from '../authorization/pages.ts';
import {
  AnswerForm,
  clientView,
  type QuestionDeps,
  questionOf,
  sendNothingSelected,
  tickedScopes,
} from '../authorization/question.ts';
import { destinationName } from '../authorization/refusals.ts';
import type { DocumentRows } from '../clients/document-rows.ts';
import { identityName } from '../clients/metadata-document.ts';
import { PageField } from '../params.ts';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { consentPage } from '../views/consent.ts';
import { messagePage } from '../views/message.ts';
import { otherUserPage } from '../views/other-user.ts';

export type ExchangeConsentRouteDeps = QuestionDeps & {
  basePath: string;
  browser: Browser;
  consentTickets: ConsentTickets;
  singleUse: SingleUse;
  findClient: (clientId: string) => Promise<Client | undefined>;
  keepClient: DocumentRows['keep'];
  store: Store;
  clock: Clock;
  metrics: Metrics;
};

/** A ticket as it would be answered now. */
type Opened = { ticket: ConsentTicket; asked: ConsentRequest; actingClient: Client };
/** What is asked, of whom; or the page that says why nobody is asked. */
type Arrival = { opened: Opened; user: SignedIn } | { turnAway: () => FastifyReply };

/**
 * The page behind the `consent_url` of a token exchange that was refused for want of consent. It wants the user of the
 * subject token, asks like the consent page, and what it stores is the same consent: the exchange can then be repeated.
 * It issues nothing, so it needs neither PKCE nor a redirect URI; a `return_url` is one that a client of the exchange has
 * registered, and learns no more than the answer.
 */
export const exchangeConsentRoute: FastifyPluginAsyncZod<ExchangeConsentRouteDeps> = async (app, deps) => {
  const { store, clock, basePath, browser, metrics } = deps;

  const schema = { querystring: z.object({ ticket: PageField, return_url: PageField }) };
  app.get(consentTicketPath, { schema }, async (request, reply) => {
    const { ticket, return_url: returnUrl } = request.query;
    const arrival = await arrive(request, reply, ticket, returnUrl);
    return 'turnAway' in arrival ? arrival.turnAway() : ask(reply, arrival.opened, arrival.user);
  });

  app.post(consentTicketPath, { schema: { body: AnswerForm } }, async (request, reply) => {
    const form = request.body;
    const arrival = await arrive(request, reply, form.request);
    if ('turnAway' in arrival) return arrival.turnAway();
    const { opened, user } = arrival;
    if (!browser.sessionCsrfMatches(request, form.csrf_token))
      return sendForeignAnswer(request, reply, 'Nothing was allowed. Go back to your application and start again.');
    // What a person allows is what they were shown: not who a client has become while the page lay open.
    if (form.action === 'allow' && opened.ticket.shown !== shownOf(opened)) return ask(reply, opened, user, true);
    noteAttempt(request, { details: { decision: form.action } });
    return form.action === 'deny' ? deny(request, reply, opened) : allow(request, reply, opened, user, form);
  });

  const arrive = async (
    request: FastifyRequest,
    reply: FastifyReply,
    sealed: string | undefined,
    appended?: string,
  ): Promise<Arrival> => {
    const opened = await open(sealed, appended);
    if (!opened || sealed === undefined) return { turnAway: () => sendOver(request, reply) };
    const { ticket } = opened;
    noteAttempt(request, { clientId: ticket.clientId, details: { acting_client: ticket.actingClientId } });
    if (!mayReturn(opened)) return { turnAway: () => sendWrongReturn(request, reply) };
    const user = await browser.signedIn(request);
    const next = { name: 'consent', ticket: sealed, returnUrl: appended } as const;
    if (!user) return { turnAway: () => seeOther(reply, `${basePath}${loginBefore(next)}`) };
    if (user.userId === ticket.userId) return { opened, user };
    const { switchAccountAction, ...here } = formFor(user, basePath, consentTicketPath);
    const page = otherUserPage({ ...here, signOutAction: switchAccountAction, next: nextPageFields(next) });
    return { turnAway: () => sendPage(reply, 403, page) };
  };

  /** The question, if nobody has answered it and it could still be asked. */
  const open = async (sealed: string | undefined, appended: string | undefined): Promise<Opened | undefined> => {
    const sent = sealed === undefined ? undefined : await deps.consentTickets.open(sealed);
    if (!sent || (await deps.singleUse.isClaimed('consent_answer', sent.id))) return undefined;
    const ticket = { ...sent, returnUrl: appended ?? sent.returnUrl };
    const [client, actingClient] = await Promise.all([usable(ticket.clientId), usable(ticket.actingClientId)]);
    if (!client || !actingClient) return undefined;
    const catalog = await deps.resources();
    const resources = ticket.resourceIds.flatMap((id) => catalog.byId(id) ?? []);
    const offered = resources.flatMap((resource) => resource.scopes.map(({ name }) => name));
    const { scopes } = ticket;
    const possible =
      resources.length === ticket.resourceIds.length &&
      includesAll(offered, scopes) &&
      (client.ceiling.length === 0 || includesAll(client.ceiling, scopes));
    const asked = { client, resources, scopes, offlineAccess: false, redirectUri: undefined };
    return possible ? { ticket, asked, actingClient } : undefined;
  };

  const usable = async (clientId: string): Promise<Client | undefined> => {
    try {
      const client = await deps.findClient(clientId);
      return client?.status === 'active' ? client : undefined;
    } catch (error) {
      if (error instanceof OAuthError && error.reason !== 'unavailable') return undefined;
      throw error;
    }
  };

  const ask = async (reply: FastifyReply, opened: Opened, user: SignedIn, changed = false) => {
    const { ticket, asked, actingClient } = opened;
    const request = await deps.consentTickets.sealShown(ticket, shownOf(opened));
    const { heldBeside, ...question } = await questionOf(asked, user.userId, deps);
    const page = consentPage({
      ...formFor(user, basePath, consentTicketPath),
      ...question,
      offlineAccess: true, // what is allowed here lasts until it is taken back
      request,
      next: nextPageFields({ name: 'consent', ticket: request, returnUrl: undefined }),
      kept: heldBeside,
      actor: actingClient.clientId === asked.client.clientId ? undefined : clientView(actingClient),
      redirect: ticket.returnUrl === undefined ? undefined : destinationOf(ticket.returnUrl),
      changed,
    });
    return sendPage(reply, 200, page, ticket.returnUrl);
  };

  const allow = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { ticket, asked }: Opened,
    user: SignedIn,
    form: AnswerForm,
  ) => {
    const allowed = tickedScopes(asked, form);
    if (!allowed) return sendNothingSelected(reply, `${basePath}${consentTicketPath}?ticket=${form.request}`);
    if (!(await isFirstAnswer(ticket))) return sendOver(request, reply);
    const now = clock.now();
    await deps.keepClient(asked.client, now, { actorId: user.userId, ...origin(request) });
    await store.transaction(async (tx) => {
      const targets = await storeConsent(tx, asked, user.userId, allowed, now);
      await recordConsent(tx, targets, eventOf(request, ticket, now));
    });
    metrics.consentDecisions.inc({ decision: 'granted' });
    return goBack(reply, ticket, 'granted');
  };

  const deny = async (request: FastifyRequest, reply: FastifyReply, { ticket, asked }: Opened) => {
    if (!(await isFirstAnswer(ticket))) return sendOver(request, reply);
    const event = eventOf(request, ticket, clock.now());
    const resource = asked.resources.map(({ uri }) => uri).join(' ');
    await store.auditEvents.insert({ ...event, action: 'consent.denied', details: { resource, ...event.details } });
    metrics.consentDecisions.inc({ decision: 'denied' });
    metrics.authDenied.inc({ reason: 'consent_denied' });
    return goBack(reply, ticket, 'denied');
  };

  /** Of many answers, at however many pods, one counts. */
  const isFirstAnswer = ({ id, exp }: ConsentTicket): Promise<boolean> =>
    deps.singleUse.claim('consent_answer', id, { until: new Date(exp * 1000) });

  const goBack = (reply: FastifyReply, { returnUrl }: ConsentTicket, consent: 'granted' | 'denied') => {
    if (returnUrl !== undefined) return seeOther(reply, withResponseParams(returnUrl, { consent }));
    return sendPage(
      reply,
      200,
      messagePage({
        title: consent === 'granted' ? 'Allowed' : 'Refused',
        lead:
          consent === 'granted'
            ? 'Go back to your application: it can go on now. You can close this page.'
            : 'Nothing was allowed. Go back to your application; you can close this page.',
        action: { href: `${basePath}/account`, label: 'See your apps' },
      }),
    );
  };

  const sendOver = (request: FastifyRequest, reply: FastifyReply) => {
    noteAttempt(request, { error: 'access_denied', reason: 'interaction_required' });
    return sendPage(
      reply,
      400,
      messagePage({
        title: 'This question cannot be answered any more',
        lead: 'It has expired or was answered before. If your application still needs your consent, it asks again.',
        requestId: request.id,
      }),
    );
  };

  const sendWrongReturn = (request: FastifyRequest, reply: FastifyReply) => {
    metrics.authDenied.inc({ reason: 'redirect_uri_mismatch' });
    noteAttempt(request, { error: 'invalid_request', reason: 'redirect_uri_mismatch' });
    return sendPage(
      reply,
      400,
      messagePage({
        title: 'This link cannot be used',
        lead: 'The address to return to (return_url) is not one that the app has registered. Nothing was allowed.',
        requestId: request.id,
      }),
    );
  };
};

const eventOf = (request: FastifyRequest, { userId, clientId, actingClientId }: ConsentTicket, at: Date) => ({
  at,
  actorId: userId,
  clientId,
  details: { acting_client: actingClientId },
  ...origin(request),
});

/** An address of either client, to the letter: nobody else's, and none of another path (RFC 9700 §4.11). */
const mayReturn = ({ ticket: { returnUrl }, asked: { client }, actingClient }: Opened): boolean =>
  returnUrl === undefined ||
  [client, actingClient].some(({ redirectUris }) => isRegisteredRedirectUri(redirectUris, returnUrl));

const destinationOf = (returnUrl: string) => {
  const kind = redirectKind(returnUrl);
  return { display: destinationName(returnUrl), loopback: kind === 'loopback', privateScheme: kind === 'private-use' };
};

const shownOf = ({ asked: { client }, actingClient }: Opened): string =>
  `${identityName(client)} ${identityName(actingClient)}`;
