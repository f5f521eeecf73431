import type { FastifyRequest } from 'fastify';

/** What is only known inside a route: who asked, and why the answer was no. */
export type AttemptFacts = {
  /** As presented, proven or not. */
  clientId?: string | undefined;
  /** What the client was told, and what it was not. */
  error?: string | undefined;
  reason?: string | undefined;
  details?: Record<string, unknown> | undefined;
};

const attempt = Symbol('attempt');
type Noted = FastifyRequest & { [attempt]?: AttemptFacts };

/** Adds to what the flight recorder will know of this request. Never a secret, a code or a token. */
export const noteAttempt = (request: Noted, more: AttemptFacts): void => {
  const known = request[attempt];
  request[attempt] = known ? { ...known, ...more, details: { ...known.details, ...more.details } } : more;
};

export const factsOf = (request: Noted): AttemptFacts => request[attempt] ?? nothing;

const nothing: AttemptFacts = {};
