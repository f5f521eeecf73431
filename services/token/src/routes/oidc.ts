import { addressKey, type FormParams } from '@authserver/http';
import type { ProviderMetadata } from '@authserver/idp';
import { type IdToken, idTokenSkewSeconds } from '@authserver/oauth';
import type { SingleUse } from '@authserver/replay';
import { type Store, uuidv7 } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AuditRepeats } from '../audit/repeats.ts';
import { type Browser, origin } from '../authorization/browser.ts';
import { nextPageFields, pathOfNext, readNextPage } from '../authorization/next-page.ts';
import { seeOther, sendExpired, sendPage } from '../authorization/pages.ts';
import type { PendingRequests } from '../authorization/pending.ts';
import { passwordAcr } from '../authorization/prompts.ts';
import type { Limits } from '../limits/limits.ts';
import { type Flow, flowSeconds } from '../oidc/flow.ts';
import type { ProviderLogin } from '../oidc/login.ts';
import { RefusedSignIn } from '../oidc/refused.ts';
import { PageField, type Params, splitParams } from '../params.ts';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { messagePage } from '../views/message.ts';
import { refusedSignIn } from '../views/refused-sign-in.ts';

export type OidcRouteDeps = {
  basePath: string;
  browser: Browser;
  pending: PendingRequests;
  limits: Limits;
  singleUse: SingleUse;
  store: Store;
  repeats: AuditRepeats;
  clock: Clock;
  metrics: Metrics;
  providerLogin: ProviderLogin;
};

const StartQuery = z.object({ request: PageField, next: PageField, user_code: PageField });
const nextOf = (flow: Pick<Flow, 'next'> | undefined) => (flow?.next ? readNextPage(flow.next) : undefined);

/**
 * Sign-in at the OpenID provider: there with `/oidc/start`, back with `/oidc/callback` (OpenID Connect Core §3.1). Who comes
 * back is known by issuer and subject and by nothing else. What was checked is checked before the code goes to the provider,
 * and what the provider says before anything is written here.
 */
export const oidcRoute: FastifyPluginAsyncZod<OidcRouteDeps> = async (app, deps) => {
  const { store, clock, browser, basePath, metrics, providerLogin } = deps;
  const { flows } = providerLogin;

  // No HEAD: the way back would spend a code.
  app.get('/oidc/start', { schema: { querystring: StartQuery }, exposeHeadRoute: false }, async (request, reply) => {
    await deps.limits.providerLogin(request);
    const { request: sealed } = request.query;
    const waiting = sealed === undefined ? undefined : await deps.pending.openLogin(sealed);
    if (sealed !== undefined && !waiting) return sendExpired(request, reply, 'This sign-in request has expired');
    noteAttempt(request, { clientId: waiting?.clientId });
    const next = readNextPage(request.query);
    const carried = { request: sealed, next: next && nextPageFields(next) };
    const { freshFrom, choose = false, loginHint } = waiting ?? {};
    const wantsToChoose = choose || flows.wantsToChoose(request);
    try {
      const metadata = await providerLogin.metadata();
      const begun = await flows.begin(request, reply, { ...carried, freshFrom });
      const location = providerLogin.authorizationUrl(metadata, begun, {
        anew: freshFrom !== undefined && waiting !== undefined && freshFrom >= waiting.askedAt,
        choose: wantsToChoose,
        freshFrom,
        loginHint: wantsToChoose ? undefined : loginHint,
      });
      return reply.code(302).header('cache-control', 'no-store').header('location', location).send();
    } catch (error) {
      return refuse(request, reply, error, carried);
    }
  });

  app.get('/oidc/callback', { exposeHeadRoute: false }, async (request, reply) => {
    await deps.limits.providerLogin(request);
    const { params, repeated } = splitParams(request.query as FormParams);
    const flow = params.state === undefined ? undefined : await flows.resume(request, params.state);
    try {
      if (!flow || repeated.length > 0)
        throw new RefusedSignIn('oidc_state_invalid', 'the answer belongs to no sign-in of this browser');
      const waiting = flow.request === undefined ? undefined : await deps.pending.openLogin(flow.request);
      if (flow.request !== undefined && !waiting)
        return sendExpired(request, reply, 'This sign-in request has expired');
      noteAttempt(request, { clientId: waiting?.clientId });
      const metadata = await providerLogin.metadata();
      const code = readAnswer(params, metadata);
      const person = await providerLogin.exchange(code, flow, metadata);
      const authTime = authTimeOf(person, flow);
      if (!(await signIn(request, reply, flow, person, authTime)))
        throw new RefusedSignIn('user_not_active', 'the account was changed meanwhile');
      metrics.loginAttempts.inc({ outcome: 'success' });
      return seeOther(reply, `${basePath}${waiting?.path ?? pathOfNext(nextOf(flow) ?? { name: 'account' })}`);
    } catch (error) {
      return refuse(request, reply, error, flow);
    }
  });

  /** The code, of an answer that came from the provider this sign-in went to (RFC 9207 §2.4, RFC 6749 §4.1.2). */
  const readAnswer = (params: Params, metadata: ProviderMetadata): string => {
    const { iss, error, code } = params;
    if (iss === undefined ? metadata.authorization_response_iss_parameter_supported : iss !== metadata.issuer)
      throw new RefusedSignIn('oidc_issuer_mismatch', 'the answer does not say that it comes from the provider');
    if (error === 'temporarily_unavailable' || error === 'server_error')
      throw new RefusedSignIn('oidc_provider_unavailable', `the provider answered ${error}`);
    if (error !== undefined)
      throw new RefusedSignIn('oidc_provider_error', `the provider answered ${knownError(error)}`);
    if (code === undefined) throw new RefusedSignIn('oidc_state_invalid', 'the answer has no code');
    return code;
  };

  /**
   * When they proved who they are. A request that demands it recent gets nobody whose provider does not say so, and never a
   * time so early, by a difference of clocks, that it would send them round once more.
   */
  const authTimeOf = ({ authTime }: IdToken, { freshFrom }: Flow): Date => {
    const now = clock.now();
    const said = authTime?.getTime();
    if (freshFrom === undefined) return new Date(Math.min(said ?? now.getTime(), now.getTime()));
    if (said === undefined || said + idTokenSkewSeconds * 1000 < freshFrom)
      throw new RefusedSignIn('authentication_unmet', 'the provider did not ask the person who they are');
    return new Date(Math.max(Math.min(said, now.getTime()), freshFrom));
  };

  /** Once for each sign-in that was begun, whichever pod it comes back to. */
  const signIn = async (request: FastifyRequest, reply: FastifyReply, flow: Flow, person: IdToken, authTime: Date) => {
    if (!(await deps.singleUse.claim('provider_answer', flow.nonce, { forSeconds: flowSeconds })))
      throw new RefusedSignIn('oidc_state_invalid', 'this sign-in has been answered');
    const { subject, profile, byPassword } = person;
    const account = { issuer: providerLogin.issuer, subject, ...profile };
    const found = await store.users.findOrInsertFederated(uuidv7(clock.now()), account);
    if (!found) throw new RefusedSignIn('email_in_use', 'another account has the e-mail address');
    const { user, epoch, created } = found;
    if (user.status !== 'active')
      throw new RefusedSignIn('user_not_active', 'the account is disabled', { userId: user.id });
    const acr = byPassword ? passwordAcr : undefined;
    const how = { action: 'user.oidc_login', authTime, acr, details: created ? { created } : {} } as const;
    if (!(await browser.signIn(request, reply, { id: user.id, epoch }, how))) return false;
    flows.chosen(reply);
    return true;
  };

  /** A page that says whose fault it is, with a way back to the sign-in that waits. */
  const refuse = async (
    request: FastifyRequest,
    reply: FastifyReply,
    error: unknown,
    flow: Pick<Flow, 'request' | 'next'> | undefined,
  ): Promise<FastifyReply> => {
    if (!(error instanceof RefusedSignIn)) throw error;
    const { reason } = error;
    const isTheirs = reason === 'oidc_provider_unavailable';
    metrics.authDenied.inc({ reason });
    noteAttempt(request, { error: 'login_failed', reason });
    const told = { request_id: request.id, reason, cause: error.message };
    if (isTheirs) request.log.warn(told, 'the OpenID provider could not be used');
    else request.log.info(told, 'sign-in at the OpenID provider refused');
    if (!isTheirs && flow) await recordFailure(request, error);
    const { status, ...text } = refusedSignIn(reason, providerLogin.displayName);
    if (status === 503) reply.header('retry-after', '5');
    const query = new URLSearchParams(
      flow?.request === undefined ? (flow?.next as Record<string, string>) : { request: flow.request },
    );
    const href = `${basePath}/login${query.size > 0 ? `?${query}` : ''}`;
    const page = messagePage({ ...text, action: { href, label: 'Back to sign-in' }, requestId: request.id });
    return sendPage(reply, status, page);
  };

  /** Whoever began a sign-in can fail as often as the limits allow: the first of each reason is written, the rest counted. */
  const recordFailure = async (request: FastifyRequest, { reason, userId }: RefusedSignIn): Promise<void> => {
    metrics.loginAttempts.inc({ outcome: 'failure' });
    const event = { action: 'user.oidc_login_failed', at: clock.now(), actorId: userId, details: { reason } } as const;
    await deps.repeats.record({ ...event, ...origin(request) }, { group: addressKey(request.ip), member: reason });
  };
};

/** What a provider may say (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6); anything else is a stranger's text. */
const knownErrors = [
  ...['access_denied', 'invalid_request', 'unauthorized_client', 'unsupported_response_type', 'invalid_scope'],
  ...['login_required', 'interaction_required', 'account_selection_required', 'consent_required'],
];
const knownError = (error: string): string => knownErrors.find((one) => one === error) ?? 'an unknown error';
