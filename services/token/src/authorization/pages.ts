import type { FastifyReply } from 'fastify';
import { contentSecurityPolicy } from '../views/stylesheet.ts';

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
