import { addressKey } from '@authserver/http';
import { OAuthError } from '@authserver/oauth';
import type { Store } from '@authserver/store';
import type { AuditAction, Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AuditRepeats } from '../audit/repeats.ts';
import { type Browser, origin } from '../authorization/browser.ts';
import { type NextPage, nextPageFields, pathOfNext, readNextPage } from '../authorization/next-page.ts';
import { seeOther, sendExpired, sendPage } from '../authorization/pages.ts';
import type { PendingLogin, PendingRequests } from '../authorization/pending.ts';
import { passwordAcr } from '../authorization/prompts.ts';
import { destinationName } from '../authorization/refusals.ts';
import type { Lockout, LoginLockout } from '../limits/lockout.ts';
import type { ProviderLogin } from '../oidc/login.ts';
import { PageField } from '../params.ts';
import type { PasswordChecker } from '../passwords.ts';
import { tokenHash } from '../secrets.ts';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { loginPage } from '../views/login.ts';

export type LoginRouteDeps = {
  basePath: string;
  browser: Browser;
  pending: PendingRequests;
  passwords: PasswordChecker;
  lockout: LoginLockout;
  store: Store;
  repeats: AuditRepeats;
  clock: Clock;
  metrics: Metrics;
  /** Whether people may sign in with a password here: `oidc.show_local_login`. */
  passwordLogin: boolean;
  /** Sign-in at an OpenID provider, where there is one. */
  providerLogin: Pick<ProviderLogin, 'button'> | undefined;
};

const NextFields = { next: PageField, user_code: PageField, ticket: PageField, return_url: PageField };
const LoginQuery = z.object({ request: PageField, ...NextFields });
const LoginForm = LoginQuery.extend({ email: PageField, password: PageField, csrf_token: PageField });

/** Longest e-mail address (RFC 5321 §4.5.3.1.3), and a password nobody types. */
const longestEmail = 254;
const longestPassword = 1024;

/** Sign-in page, and sign-in with a password. One text and one amount of work for every refusal, so that accounts cannot be probed. */
export const loginRoute: FastifyPluginAsyncZod<LoginRouteDeps> = async (app, deps) => {
  const { store, browser, basePath, metrics } = deps;

  app.get('/login', { schema: { querystring: LoginQuery } }, async (request, reply) => {
    const { request: sealed } = request.query;
    const waiting = sealed === undefined ? undefined : await deps.pending.openLogin(sealed);
    if (sealed !== undefined && !waiting) return sendExpired(request, reply, 'This sign-in request has expired');
    noteAttempt(request, { clientId: waiting?.clientId });
    return ask(request, reply, 200, { sealed, waiting, next: readNextPage(request.query) });
  });

  const whenOff = deps.passwordLogin ? {} : { onRequest: nothingHere }; // before the body is read
  app.post('/login', { schema: { body: LoginForm }, ...whenOff }, async (request, reply) => {
    const { body } = request;
    const { request: sealed, password } = body;
    const waiting = sealed === undefined ? undefined : await deps.pending.openLogin(sealed);
    if (sealed !== undefined && !waiting) return sendExpired(request, reply, 'This sign-in request has expired');
    noteAttempt(request, { clientId: waiting?.clientId });
    const email = body.email?.trim();
    const next = readNextPage(body);
    const refuse = (problem: string) => ask(request, reply, 422, { sealed, waiting, next, email, problem });

    if (!browser.anonymousCsrfMatches(request, body.csrf_token)) {
      metrics.authDenied.inc({ reason: 'login_form_expired' });
      return refuse('This form has expired. Please try again.');
    }
    if (!email || !password || email.length > longestEmail || password.length > longestPassword)
      return refuse('Enter your e-mail address and your password.');

    const attempt = await deps.lockout.begin(email, request.ip);
    if (!attempt.allowed) {
      metrics.loginAttempts.inc({ outcome: 'locked_out' });
      metrics.authDenied.inc({ reason: 'locked_out' });
      noteAttempt(request, { error: 'login_failed', reason: 'locked_out' });
      const { retryAfterSeconds } = attempt;
      reply.header('retry-after', retryAfterSeconds);
      const problem = 'Too many sign-ins have failed.';
      return ask(request, reply, 429, { sealed, waiting, next, email, problem, retryAfterSeconds });
    }
    const { found, matches } = await check(email, password).catch(async (error: unknown) => {
      await attempt.unanswered().catch(() => {}); // at worst it counts as a failure until the window ends
      throw error;
    });
    const usable = found?.user.status === 'active' ? found : undefined;
    if (!usable || !matches) {
      await recordFailure(request, { email, userId: found?.user.id, reason: reasonOf(found) }, attempt.failed());
      return refuse('The e-mail address or the password is not right.');
    }
    await attempt.succeeded().catch(() => {}); // at worst it counts as a failure until the window ends
    const how = { action: 'user.login', acr: passwordAcr } as const;
    if (!(await browser.signIn(request, reply, { id: usable.user.id, epoch: usable.epoch }, how)))
      return refuse('Your account was changed a moment ago. Please sign in again.');
    metrics.loginAttempts.inc({ outcome: 'success' });
    return seeOther(reply, `${basePath}${waiting?.path ?? pathOfNext(next ?? { name: 'account' })}`);
  });

  /** The work of one hash for every answer. */
  const check = async (email: string, password: string) => {
    const found = await store.users.findForLogin(email);
    const hash = found?.user.status === 'active' ? found.passwordHash : undefined;
    return { found, matches: await deps.passwords.matches(password, hash) };
  };

  /** Anybody can fail as often as the limits allow, so the trail has the first of each account and counts the rest. */
  const recordFailure = async (
    request: FastifyRequest,
    { email, userId, reason }: { email: string; userId: string | undefined; reason: string },
    lockouts: readonly Lockout[],
  ) => {
    metrics.loginAttempts.inc({ outcome: 'failure' });
    metrics.authDenied.inc({ reason: 'invalid_credentials' });
    noteAttempt(request, { error: 'login_failed', reason });
    const repeated = { group: addressKey(request.ip), member: tokenHash(email.toLowerCase()).toString('base64url') };
    const record = (action: AuditAction, details: Record<string, unknown>) =>
      deps.repeats.record({ action, at: deps.clock.now(), actorId: userId, details, ...origin(request) }, repeated);
    await record('user.login_failed', { reason });
    for (const { scope, until } of lockouts) {
      metrics.loginLockouts.inc({ scope });
      await record('auth.locked_out', { scope, until: until.toISOString() });
    }
  };

  const ask = (
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    view: {
      sealed?: string | undefined;
      waiting?: PendingLogin | undefined;
      next?: NextPage | undefined;
      email?: string | undefined;
      problem?: string;
      retryAfterSeconds?: number;
    },
  ) => {
    const page = loginPage({
      form: deps.passwordLogin
        ? { action: `${basePath}/login`, csrfToken: browser.anonymousCsrf(request, reply) }
        : undefined,
      identityProvider: deps.providerLogin?.button({
        request: view.sealed,
        ...(view.next && nextPageFields(view.next)),
      }),
      request: view.sealed,
      next: view.next && nextPageFields(view.next),
      email: view.email ?? view.waiting?.loginHint,
      problem: view.problem,
      retryAfterSeconds: view.retryAfterSeconds,
      clientName: view.waiting?.clientName,
      clientVerified: view.waiting?.clientVerified,
      redirectHost: view.waiting && destinationName(view.waiting.redirectUri),
    });
    return sendPage(reply, status, page, view.waiting?.redirectUri);
  };
};

const nothingHere = async (): Promise<never> => {
  throw new OAuthError('not_found', 'Nobody signs in with a password here.', 'not_found');
};

/** For the audit trail only. */
const reasonOf = (found: Awaited<ReturnType<Store['users']['findForLogin']>>): string => {
  if (!found) return 'user_not_found';
  if (found.user.status !== 'active') return 'user_disabled';
  return found.passwordHash === undefined ? 'user_not_local' : 'invalid_credentials';
};
