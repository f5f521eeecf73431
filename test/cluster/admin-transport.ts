import type { AdminTransport } from '@authserver/admin-api';
import { read } from '../support/test-app.ts';

/** Nobody knows whether what was asked for is done: the connection broke, or nothing came back in time. */
export class AnswerLost extends Error {
  override readonly name = 'AnswerLost';
}

const TIMEOUT_MS = 6_000;

/** Sends a request to one admin pod and waits no longer than a person would. @throws {AnswerLost} */
export const sendToAdmin =
  (url: string, key: string): AdminTransport =>
  async ({ method, path, query, body, headers, stream }) => {
    const search = query ? `?${new URLSearchParams(query)}` : '';
    try {
      const response = await fetch(`${url}${path}${search}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (stream && response.ok && response.body)
        return { status: response.status, body: undefined, chunks: response.body };
      const answer = await read(response);
      return { status: answer.status, headers: Object.fromEntries(answer.headers), body: answer.body };
    } catch (error) {
      throw new AnswerLost(`${method} ${path} at ${url}`, { cause: error });
    }
  };
