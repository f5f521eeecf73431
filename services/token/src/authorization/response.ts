import { withoutResponseParams, withResponseParams } from '@authserver/oauth';
import type { FastifyReply } from 'fastify';
import { formPostPage } from '../views/form-post.ts';
import { formPostPolicy } from '../views/stylesheet.ts';
import { seeOther } from './pages.ts';
import type { ResponseMode } from './response-mode.ts';
import type { ResponseTarget } from './target.ts';

/** What the client is told, and how. */
export type AuthorizationResponse = {
  redirectUri: string;
  mode: ResponseMode;
  params: Record<string, string | undefined>;
};

/** A successful response (RFC 6749 §4.1.2), with `iss` (RFC 9207 §2). */
export const codeResponse = (target: ResponseTarget, code: string, issuer: string): AuthorizationResponse => ({
  redirectUri: target.redirectUri,
  mode: target.responseMode,
  params: { code, state: target.state, iss: issuer },
});

/** An error response (RFC 6749 §4.1.2.1), with `iss` (RFC 9207 §2). */
export const errorResponse = (
  target: ResponseTarget,
  error: { code: string; description: string },
  issuer: string,
): AuthorizationResponse => ({
  redirectUri: target.redirectUri,
  mode: target.responseMode,
  params: { error: error.code, error_description: error.description, state: target.state, iss: issuer },
});

/** Sends the browser back to the client with it: by redirect, or by a page that posts it. */
export const sendResponse = (
  reply: FastifyReply,
  { redirectUri, mode, params }: AuthorizationResponse,
): FastifyReply => {
  if (mode === 'query') return seeOther(reply, withResponseParams(redirectUri, params));
  return reply
    .code(200)
    .header('content-security-policy', formPostPolicy(redirectUri))
    .header('cache-control', 'no-store')
    .type('text/html; charset=utf-8')
    .send(formPostPage(withoutResponseParams(redirectUri, Object.keys(params)), params));
};
