import { z } from 'zod';
import { Id, page, plainText, Timestamp } from './fields.ts';

const Moment = z.iso.datetime({ offset: true });

export const ListAuditEvents = z.strictObject({
  action: Id.optional().describe('An action, or all that begin alike: `client.*`.'),
  actor_id: Id.optional(),
  client_id: plainText(2000).optional(),
  ip: plainText(64).min(1).optional(),
  request_id: Id.optional(),
  since: Moment.optional().describe('RFC 3339; the configured look-back by default.'),
  until: Moment.optional().describe('RFC 3339; after `since`.'),
  ...page({ default: 50, max: 1000 }),
});

const said = {
  action: z.string(),
  actor_id: z.string().nullable(),
  client_id: z.string().nullable(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  request_id: z.string().nullable(),
  trace_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
};

export const AuditEventView = z
  .object({
    id: z.string(),
    ...said,
    detail: z.string().describe('The members of `details` as key=value, for people.'),
    created_at: Timestamp,
  })
  .meta({ id: 'AuditEvent' });

export const ExportAuditEvents = z.strictObject({
  since: Moment.optional().describe('RFC 3339; `admin.audit_default_lookback` by default.'),
  until: Moment.optional().describe('RFC 3339, after `since`; now by default.'),
});

export const ExportedAuditEvent = z
  .object({
    v: z
      .literal(1)
      .describe('Version of this form. Members may be added to it; one with another meaning gets another.'),
    id: z.string(),
    at: z.string().describe('RFC 3339, UTC, with microseconds: as it is in the hash.'),
    ...said,
    day: z
      .string()
      .nullable()
      .describe('The day (UTC) whose chain the event is in; null when it is older than the chain.'),
    position: z.int().nullable().describe('Its place in that chain, from 1.'),
    hash: z.string().nullable().describe('SHA-256 of the hash before it and of the event, in hex.'),
  })
  .meta({ id: 'ExportedAuditEvent' });

const Day = z.iso.date();

export const VerifyAuditChain = z.strictObject({
  since: z.union([Day, Moment]).optional().describe('The first day, or a moment in it; all that are there by default.'),
  until: z.union([Day, Moment]).optional().describe('The last day, or a moment in it; today by default.'),
  expect: z
    .string()
    .max(8000)
    .regex(
      /^\d{4}-\d{2}-\d{2}=[0-9a-f]{64}(,\d{4}-\d{2}-\d{2}=[0-9a-f]{64})*$/,
      'expects <day>=<head>, several with commas',
    )
    .optional()
    .describe(
      'Heads that were noted earlier, as `2026-01-31=<hex>`, with commas: each has to be in the chain of its day.',
    ),
});

export const VerifiedAuditDay = z
  .object({
    day: z.string().describe('UTC.'),
    events: z.int().describe('Events the chain of the day has or had.'),
    forgotten: z.int().describe('How many of them, the oldest, are kept no longer.'),
    head: z.string().nullable().describe('The last hash of the chain, in hex: to be noted elsewhere.'),
    status: z
      .enum(['ok', 'broken', 'forgotten'])
      .describe('`forgotten`: the events are kept no longer, so there is nothing to verify.'),
    problem: z
      .object({
        kind: z.enum(['changed', 'event_missing', 'event_added', 'chain_broken', 'head_unexpected']),
        detail: z.string(),
        position: z.int().optional(),
        event_id: z.string().optional(),
      })
      .nullable()
      .describe('The first thing that is wrong.'),
  })
  .meta({ id: 'VerifiedAuditDay' });
