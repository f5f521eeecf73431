import { z } from 'zod';
import { Cursor, Id, plainText, Timestamp } from './fields.ts';

export const ListIssuances = z
  .strictObject({
    user: Id.optional().describe('User id.'),
    client: plainText(2000).optional().describe('Client id.'),
    resource: Id.optional().describe('Resource, by slug or id.'),
    jti: Id.optional().describe('One token; `since` and `limit` do not matter then.'),
    since: z.iso.datetime({ offset: true }).optional().describe('RFC 3339; default 24 hours ago, at most 30 days.'),
    cursor: Cursor.optional().describe(
      'Where to go on, from the `Link` of the page before; `since` is then as it was.',
    ),
    limit: z.coerce.number<number>().int().min(1).max(5000).default(500).describe('Rows at most.'),
  })
  .refine(
    ({ user, client, resource, jti }) => [user, client, resource, jti].some((filter) => filter !== undefined),
    'one of user, client, resource or jti is required',
  );

/** The forensic row of one token. */
export const IssuanceView = z
  .object({
    id: z.string(),
    jti: z.string(),
    grant_type: z.string(),
    subject: z.string().describe('The `sub` of the token.'),
    subject_user_id: z.string().optional(),
    client_id: z.string(),
    resource_id: z.string().optional(),
    resource: z.string().describe('The `aud` of the token, or the first of several.'),
    resources: z.array(z.string()).optional().describe('Every `aud` of a token for several resources.'),
    scopes: z.array(z.string()),
    backend_kind: z.enum(['mint', 'broker']),
    revocable: z.boolean(),
    issued_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Timestamp.optional().describe('When this very token was revoked.'),
    status: z
      .enum(['active', 'expired', 'revoked'])
      .describe('`revoked` also when its family, consent, client, user, resource or identity provider was ended.'),
    dpop_jkt: z.string().optional(),
    agent_id: z.string().optional(),
    agent_chain: z.array(z.string()),
    consent_client_id: z.string().optional(),
    parent_jti: Id.optional(),
    idp_id: Id.optional().describe('The identity provider that vouched for the subject.'),
  })
  .meta({ id: 'Issuance' });

/** Newest first. */
export const Issuances = z
  .object({ issuances: z.array(IssuanceView), since: z.string(), count: z.int() })
  .meta({ id: 'Issuances' });
