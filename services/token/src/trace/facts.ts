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

const facts = new WeakMap<FastifyRequest, AttemptFacts>();

/** Adds to what the flight recorder will know of this request. Never a secret, a code or a token. */
export const noteAttempt = (request: FastifyRequest, more: AttemptFacts): void => {
  const known = facts.get(request);
  if (!known) {
    facts.set(request, more); // the hot path: one note a request
    return;
  }
  facts.set(request, { ...known, ...more, details: { ...known?.details, ...more.details } });
};

export const factsOf = (request: FastifyRequest): AttemptFacts => facts.get(request) ?? {};
