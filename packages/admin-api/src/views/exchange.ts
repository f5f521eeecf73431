import { z } from 'zod';
import { Id, plainText, Timestamp } from './fields.ts';

const Resources = z.array(plainText(2048).min(1)).max(10);
const scope = (what: string) => plainText(4096).optional().describe(`${what}, separated by spaces.`);

/** What would be asked of the token endpoint: about a token that was issued, or about one as it is described. */
export const ExplainExchange = z
  .strictObject({
    client_id: plainText(2000).min(1).describe('Client that would ask.'),
    subject_jti: Id.optional().describe('An issued token, by its jti. Or describe one:'),
    user: Id.optional().describe('User the token would be of; absent for a token of the client itself.'),
    subject_client_id: plainText(2000).min(1).optional().describe('Client it would have been issued to.'),
    subject_resource: Resources.default([]).describe(
      'Resources it would be for, by URI or slug; none: the server itself.',
    ),
    subject_scope: scope('Scopes it would have'),
    actor_client_id: plainText(2000).min(1).optional().describe('Client that an actor token would be of.'),
    resource: Resources.default([]).describe('Targets, by URI or slug: `resource` and `audience` of the request.'),
    scope: scope('Scopes that would be asked for; all that can be had, if absent'),
  })
  .refine(
    ({ subject_jti, subject_client_id }) => (subject_jti === undefined) !== (subject_client_id === undefined),
    'give either subject_jti or subject_client_id',
  )
  .refine(
    ({ subject_jti, user, subject_scope, subject_resource }) =>
      subject_jti === undefined || (user === undefined && subject_scope === undefined && subject_resource.length === 0),
    'subject_jti says user, subject_scope and subject_resource already',
  )
  .meta({ id: 'ExplainExchange' });

/** What the token endpoint would say, and why. Keys are taken as proven; nothing is issued. */
export const ExchangeExplanation = z
  .object({
    allowed: z.boolean(),
    error: z.string().optional().describe('What the client would be told.'),
    cause: z.string().optional().describe('Of consent_required.'),
    reason: z.string().optional().describe('What the log and the metrics would say.'),
    scope: z.string().optional().describe('Scope of the token.'),
    kind: z.enum(['impersonation', 'delegation']).optional(),
    act: z.record(z.string(), z.unknown()).optional().describe('Who would act, and who acted before.'),
    targets: z
      .array(
        z.object({
          name: z.string(),
          uri: z.string().describe('Its `aud`.'),
          way: z.enum(['direct', 'self', 'fronted']).describe('By consent, as its own token, or through a link.'),
        }),
      )
      .optional(),
    budgets: z
      .array(
        z.object({
          target: z.string(),
          client_id: z.string().describe('Who asks, or who acts.'),
          uses: z.int().optional().describe('Exchanges since the user last consented.'),
          max_uses: z.int().optional(),
          remaining: z.int().optional(),
          since: Timestamp.optional().describe('When the user last consented.'),
          ends_at: Timestamp.optional().describe('When the user is asked again, however little was used.'),
          depth: z.int().describe('Length of the chain of the new token.'),
          max_depth: z.int().optional(),
        }),
      )
      .optional()
      .describe('Budgets it has to keep within; absent where there is none.'),
    gates: z
      .array(
        z.object({
          gate: z.string(),
          target: z.string().optional().describe('Absent for the request as a whole.'),
          outcome: z.enum(['pass', 'deny', 'skip']),
          detail: z.string(),
        }),
      )
      .describe('Every gate, in the order they are asked; the first that denies is what the client is told.'),
  })
  .meta({ id: 'ExchangeExplanation' });
