import { z } from 'zod';
import { Id, plainText, Timestamp } from './fields.ts';

/** By exactly one of the two. */
export const TraceQuery = z
  .strictObject({
    reference: Id.optional().describe('The reference an error page shows, such as 7K2M-QX4D; or a request id.'),
    client_id: plainText(2000).min(1).optional().describe('A client, known or not.'),
    limit: z.coerce.number().int().min(1).max(1000).default(200).describe('Events at most; the latest count.'),
  })
  .refine(
    ({ reference, client_id }) => (reference === undefined) !== (client_id === undefined),
    'give either reference or client_id',
  );

export const ConnectionEventView = z
  .object({
    at: Timestamp,
    reference: z.string(),
    request_id: z.string(),
    step: z.string(),
    outcome: z.enum(['ok', 'refused', 'failed']),
    status: z.int(),
    client_id: z.string().nullable().describe('As presented; it need not exist.'),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    error: z.string().nullable().describe('What the client was told.'),
    reason: z.string().nullable().describe('Why, as only the operator may know.'),
    details: z.record(z.string(), z.unknown()).describe('What was asked for.'),
  })
  .meta({ id: 'ConnectionEvent' });

export const Trace = z.object({ events: z.array(ConnectionEventView) }).meta({ id: 'Trace' });
