import type { FastifyReply, FastifyRequest } from 'fastify';
import { messagePage } from '../views/message.ts';
import { contentSecurityPolicy } from '../views/stylesheet.ts';
import type { SignedIn } from './browser.ts';

/**
 * Sends a page. `leadsTo` is the redirect URI a form on it may end at: browsers apply `form-action` to the redirect after
 * the post as well.
 */
export const sendPage = (reply: FastifyReply, status: number, html: string, leadsTo?: string): FastifyReply =>
  reply
    .code(status)
    .header('content-security-policy', contentSecurityPolicy(leadsTo))
    .header('cache-control', 'no-store')
    .type('text/html; charset=utf-8')
    .send(html);

/** Moves the browser on. Always 303, so that a posted form is never posted again elsewhere (RFC 9700 §4.12). */
export const seeOther = (reply: FastifyReply, location: string): FastifyReply =>
  reply.code(303).header('cache-control', 'no-store').header('location', location).send();

/** What a form for somebody signed in shows and carries. `path` is where it posts, below the path of the issuer. */
export const formFor = (user: SignedIn, basePath: string, path: string) => ({
  action: `${basePath}${path}`,
  csrfToken: user.csrfToken,
  user: { email: user.email ?? user.userId, name: user.name },
  /** Where signing out posts to. */
  switchAccountAction: `${basePath}/logout`,
  /** Where people take back what they allowed. */
  accountPath: `${basePath}/account`,
});

/** For a request that waited too long, or can no longer be answered. */
export const sendExpired = (
  request: FastifyRequest,
  reply: FastifyReply,
  title = 'This request has expired',
): FastifyReply => {
  const lead = 'Go back to the app you came from and start again.';
  return sendPage(reply, 400, messagePage({ title, lead, requestId: request.id }));
};

/** For a form that another site has posted, or one from before a new sign-in. */
export const sendForeignAnswer = (request: FastifyRequest, reply: FastifyReply, lead: string): FastifyReply =>
  sendPage(reply, 403, messagePage({ title: 'That answer did not come from this page', lead, requestId: request.id }));
