import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Browser } from '../authorization/browser.ts';
import { loginBefore, readNextPage } from '../authorization/next-page.ts';
import { seeOther, sendPage } from '../authorization/pages.ts';
import type { PendingRequests } from '../authorization/pending.ts';
import type { ProviderLogin } from '../oidc/login.ts';
import { messagePage } from '../views/message.ts';

export type LogoutRouteDeps = {
  basePath: string;
  browser: Browser;
  pending: PendingRequests;
  /** Sign-ins at an OpenID provider, where there is one. */
  providerLogin: Pick<ProviderLogin, 'flows'> | undefined;
};

const text = z.string().optional();
const LogoutForm = z.object({
  csrf_token: text,
  request: text,
  next: text,
  user_code: text,
  ticket: text,
  return_url: text,
});

/** Ends the session on the server. From a consent or device page the same request goes on, for another user. */
export const logoutRoute: FastifyPluginAsyncZod<LogoutRouteDeps> = async (app, deps) => {
  app.post('/logout', { schema: { body: LogoutForm } }, async (request, reply) => {
    if (!deps.browser.sessionCsrfMatches(request, request.body.csrf_token)) {
      const page = messagePage({
        title: 'You were not signed out',
        lead: 'The request did not come from a page of this server.',
        action: { href: `${deps.basePath}/`, label: 'Go to the start page' },
      });
      return sendPage(reply, 403, page);
    }
    await deps.browser.signOut(request, reply);
    deps.providerLogin?.flows.askToChoose(reply); // at the provider they are still signed in
    const sealed = request.body.request;
    const waiting = sealed === undefined ? undefined : await deps.pending.openAnyConsent(sealed);
    const next = readNextPage(request.body);
    return seeOther(reply, `${deps.basePath}${waiting?.path ?? (next ? loginBefore(next) : '/login')}`);
  });
};
