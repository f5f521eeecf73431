import { z } from 'zod';
import { Id, page, plainText, Timestamp } from './fields.ts';

const shown = page({ default: 50, max: 1000 });

export const ListTokens = z.strictObject({
  client_id: plainText(2000).min(1).optional().describe('Those of this client.'),
  user_id: Id.optional().describe('Those of this user; a token of a client alone has none.'),
  ...shown,
});
export const ListUserTokens = z.strictObject(shown);

export const TokenView = z
  .object({
    jti: z.string().describe('Id of the family, or `jti` of a token that belongs to none.'),
    type: z.string().describe('authorization_code for a family, else the grant the token was issued by.'),
    client_id: z.string(),
    user_id: z.string().optional(),
    scope: z.string(),
    resource: z.string().describe('What it is for, or the first of several; empty: the authorization server itself.'),
    status: z
      .enum(['active', 'expired', 'revoked'])
      .describe('`revoked` also when its consent, client, user or resource was ended.'),
    created_at: Timestamp,
    expires_at: Timestamp.optional().describe('Of a family: when its last refresh token ends at the latest.'),
  })
  .meta({ id: 'Token' });

/** Newest first. A token that belongs to no family is shown until it expires or is revoked itself. */
export const Tokens = z
  .object({
    tokens: z.array(TokenView),
    total: z
      .int()
      .optional()
      .describe('How many there are in all; absent behind a cursor, and when they are more than 100,000.'),
  })
  .meta({ id: 'Tokens' });
