import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { noteAttempt } from '../trace/facts.ts';
import { loginBefore } from './next-page.ts';
import { seeOther, sendForeignAnswer } from './pages.ts';

/** What the pages of a device have in common: who may not see them yet, and how a no is answered and counted. */
export const devicePages = ({ basePath, metrics }: { basePath: string; metrics: Metrics }) => ({
  /** Everything here wants somebody signed in; the code they came with is kept. */
  toLogin: (reply: FastifyReply, userCode?: string): FastifyReply =>
    seeOther(reply, `${basePath}${loginBefore({ name: 'device', userCode })}`),

  sendForeignAnswer: (request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    sendForeignAnswer(
      request,
      reply,
      'No device was connected. If you want to connect one, start again on the device.',
    ),

  noteRefusal(request: FastifyRequest, reason: 'user_code_unknown' | 'consent_denied' | 'rate_limited'): void {
    metrics.authDenied.inc({ reason });
    noteAttempt(request, { error: 'access_denied', reason });
  },
});
