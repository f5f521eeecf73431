import type { Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Browser, origin } from '../authorization/browser.ts';
import { seeOther, sendPage } from '../authorization/pages.ts';
import type { PendingLogin, PendingRequests } from '../authorization/pending.ts';
import type { PasswordChecker } from '../passwords.ts';
import type { Clock } from '../time.ts';
import { loginPage } from '../views/login.ts';
import { messagePage } from '../views/message.ts';
import { destinationName } from './authorize.ts';

export type LoginRouteDeps = {
  basePath: string;
  browser: Browser;
  pending: PendingRequests;
  passwords: PasswordChecker;
  store: Store;
  clock: Clock;
  metrics: Metrics;
};

const text = z.union([z.string(), z.array(z.string())]).optional();
const LoginForm = z.object({ email: text, password: text, csrf_token: text, request: text });

/** Longest e-mail address (RFC 5321 §4.5.3.1.3), and a password nobody types. */
const longestEmail = 254;
const longestPassword = 1024;

/** Password sign-in. One text and one amount of work for every refusal, so that accounts cannot be probed. */
export const loginRoute: FastifyPluginAsyncZod<LoginRouteDeps> = async (app, deps) => {
  const { store, browser, basePath, metrics } = deps;

  app.get('/login', { schema: { querystring: z.object({ request: text }) } }, async (request, reply) => {
    const sealed = single(request.query.request);
    const waiting = sealed === undefined ? undefined : await deps.pending.openLogin(sealed);
    if (sealed !== undefined && !waiting) return expired(request, reply);
    return ask(request, reply, 200, { sealed, waiting });
  });

  app.post('/login', { schema: { body: LoginForm } }, async (request, reply) => {
    const { body } = request;
    const sealed = single(body.request);
    const waiting = sealed === undefined ? undefined : await deps.pending.openLogin(sealed);
    if (sealed !== undefined && !waiting) return expired(request, reply);
    const email = single(body.email)?.trim();
    const refuse = (problem: string) => ask(request, reply, 422, { sealed, waiting, email, problem });

    if (!browser.anonymousCsrfMatches(request, single(body.csrf_token))) {
      metrics.authDenied.inc({ reason: 'login_form_expired' });
      return refuse('This form has expired. Please try again.');
    }
    const password = single(body.password);
    if (!email || !password || email.length > longestEmail || password.length > longestPassword)
      return refuse('Enter your e-mail address and your password.');

    const found = await store.users.findForLogin(email);
    const usable = found?.user.status === 'active' ? found : undefined;
    const matches = await deps.passwords.matches(password, usable?.passwordHash);
    if (!usable || !matches) {
      await recordFailure(request, found?.user.id, reasonOf(found));
      return refuse('The e-mail address or the password is not right.');
    }
    if (!(await browser.signIn(request, reply, { id: usable.user.id, epoch: usable.epoch })))
      return refuse('Your account was changed a moment ago. Please sign in again.');
    metrics.loginAttempts.inc({ outcome: 'success' });
    return seeOther(reply, `${basePath}${waiting?.path ?? '/'}`);
  });

  const recordFailure = async (request: FastifyRequest, userId: string | undefined, reason: string) => {
    metrics.loginAttempts.inc({ outcome: 'failure' });
    metrics.authDenied.inc({ reason: 'invalid_credentials' });
    await store.auditEvents.insert({
      action: 'user.login_failed',
      at: deps.clock.now(),
      actorId: userId,
      details: { reason },
      ...origin(request),
    });
  };

  const ask = (
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    view: {
      sealed?: string | undefined;
      waiting?: PendingLogin | undefined;
      email?: string | undefined;
      problem?: string;
    },
  ) => {
    const page = loginPage({
      action: `${basePath}/login`,
      csrfToken: browser.anonymousCsrf(request, reply),
      request: view.sealed,
      email: view.email,
      problem: view.problem,
      clientName: view.waiting?.clientName,
      clientVerified: view.waiting?.clientVerified,
      redirectHost: view.waiting && destinationName(view.waiting.redirectUri),
    });
    return sendPage(reply, status, page, view.waiting?.redirectUri);
  };

  const expired = (request: FastifyRequest, reply: FastifyReply) =>
    sendPage(
      reply,
      400,
      messagePage({
        title: 'This sign-in request has expired',
        lead: 'Go back to the app you came from and start again.',
        requestId: request.id,
      }),
    );
};

/** For the audit trail only. */
const reasonOf = (found: Awaited<ReturnType<Store['users']['findForLogin']>>): string => {
  if (!found) return 'user_not_found';
  if (found.user.status !== 'active') return 'user_disabled';
  return found.passwordHash === undefined ? 'user_not_local' : 'invalid_credentials';
};

/** A repeated field is a form nobody drew: treated as missing. */
const single = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) || value === '' ? undefined : value;
