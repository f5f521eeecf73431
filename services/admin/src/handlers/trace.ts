import type { ConnectionEventView } from '@authserver/admin-api';
import { readReference } from '@authserver/http';
import type { ConnectionEvent } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { notFound } from './refusals.ts';

export const traceHandlers = (): HandlersOf<'trace'> => ({
  async list({ query: { reference, client_id, limit }, store }) {
    if (client_id !== undefined)
      return { events: (await store.connectionEvents.ofClient(client_id, limit)).map(toView) };
    const events = await store.connectionEvents.aroundReference(readReference(reference ?? ''), limit);
    if (events.length === 0) throw notFound('trace');
    return { events: events.map(toView) };
  },
});

const toView = (event: ConnectionEvent): z.output<typeof ConnectionEventView> => ({
  at: event.at.toISOString(),
  reference: event.reference,
  request_id: event.requestId,
  step: event.step,
  outcome: event.outcome,
  status: event.status,
  client_id: event.clientId ?? null,
  ip: event.ip ?? null,
  user_agent: event.userAgent ?? null,
  error: event.error ?? null,
  reason: event.reason ?? null,
  details: event.details,
});
