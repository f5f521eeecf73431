import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { AdminResponse, AdminTransport } from '@authserver/admin-api';
import { AnswerLost } from './http-transport.ts';

const pausesMs = [250, 1000] as const;
const longestPauseMs = 5000;

/**
 * Sends a request again when its answer was lost, or when the server, or what stands before it, could not serve it just
 * now. A change carries an `Idempotency-Key`, so what was done the first time is only answered the second time.
 */
export const withRepetition =
  (send: AdminTransport, wait: (ms: number) => Promise<unknown> = pause): AdminTransport =>
  async (request) => {
    const key = request.method === 'GET' ? {} : { 'idempotency-key': randomUUID() };
    const repeatable = { ...request, headers: { ...key, ...request.headers } };
    for (const pauseMs of pausesMs) {
      const outcome = await send(repeatable).catch((error: unknown) => {
        if (error instanceof AnswerLost) return error;
        throw error;
      });
      if (outcome instanceof AnswerLost) {
        if (outcome.slow) break;
        await wait(pauseMs);
      } else if (isPassing(outcome)) await wait(Math.max(pauseMs, Math.min(longestPauseMs, retryAfterMs(outcome))));
      else return outcome;
    }
    return send(repeatable);
  };

const isPassing = ({ status }: AdminResponse): boolean => status === 502 || status === 503 || status === 504;

const retryAfterMs = (response: AdminResponse): number => (Number(response.headers?.['retry-after']) || 0) * 1000;
