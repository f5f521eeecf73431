import { z } from 'zod';
import { page, plainText, Timestamp } from './fields.ts';

const daySeconds = 86_400;

export const CreateInitialAccessToken = z
  .strictObject({
    label: plainText(255)
      .refine((label) => label.trim() !== '', 'must not be blank')
      .describe('Whom it is for: shown in lists and in the audit trail.'),
    expires_in: z
      .int()
      .min(60)
      .max(366 * daySeconds)
      .default(7 * daySeconds)
      .describe('Seconds it can be used.'),
    max_uses: z.int().min(1).max(100_000).default(1).describe('Clients it may register.'),
  })
  .meta({ id: 'CreateInitialAccessToken' });

export const ListInitialAccessTokens = z.strictObject(page({ default: 50, max: 1000 }));

const shown = {
  id: z.string(),
  label: z.string(),
  status: z.enum(['usable', 'used_up', 'expired', 'revoked']),
  uses: z.int(),
  max_uses: z.int(),
  created_at: Timestamp,
  expires_at: Timestamp,
  last_used_at: Timestamp.optional(),
  revoked_at: Timestamp.optional(),
};

/** A token as it is read: without the token. */
export const InitialAccessTokenView = z.object(shown).meta({ id: 'InitialAccessToken' });

export const CreatedInitialAccessToken = z
  .object({ ...shown, token: z.string().describe('Shown this once; only its hash is kept.') })
  .meta({ id: 'CreatedInitialAccessToken' });
