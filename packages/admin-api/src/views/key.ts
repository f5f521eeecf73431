import { z } from 'zod';
import { plainText, QueryFlag, Timestamp } from './fields.ts';

export const KeyView = z
  .object({
    kid: z.string(),
    alg: z.string(),
    use: z.literal('sig'),
    status: z
      .enum(['next', 'current', 'retiring'])
      .describe('next: published, signs after the next rotation. retiring: published, verifies only.'),
    created_at: Timestamp,
    signs_from: Timestamp.optional().describe('next: when every verifier knows it; a rotation before needs force.'),
    activated_at: Timestamp.optional().describe('When it became current.'),
    retired_at: Timestamp.optional().describe('When it became retiring.'),
    gone_after: Timestamp.optional().describe(
      'retiring: when the last token it signed has ended and it leaves the JWKS.',
    ),
  })
  .meta({ id: 'SigningKey' });

export const Keys = z
  .object({
    keys: z.array(KeyView),
    algorithm_change: z
      .object({ to: z.string(), rotations: z.int().describe('How many rotations until keys of it sign.') })
      .optional()
      .describe('Present while the ring has keys of another algorithm than `signing.algorithm` says.'),
  })
  .meta({ id: 'SigningKeys' });

const Reason = plainText(500).optional().describe('Why, for the audit trail.');

const rotateForce = 'Rotate although verifiers may not have fetched the next key yet. Needs the role owner.';
export const RotateKeyQuery = z.strictObject({ force: QueryFlag.describe(rotateForce) });
export const RotateKey = z
  .strictObject({ force: z.boolean().default(false).describe(rotateForce), reason: Reason })
  .nullish()
  .meta({ id: 'RotateKey' });

export const RotatedKey = z
  .object({
    kid: z.string().describe('The key that signs now.'),
    alg: z.string(),
    next: z
      .object({ kid: z.string(), alg: z.string(), signs_from: Timestamp })
      .optional()
      .describe('The key that is published now and signs after the next rotation; absent in a dry run.'),
    previous: z
      .object({ kid: z.string(), gone_after: Timestamp })
      .optional()
      .describe('The key that signed before, and until when it is kept for the tokens it signed; absent in a dry run.'),
  })
  .meta({ id: 'RotatedKey' });

const retireForce =
  'Retire it although tokens it signed may still live: they are refused from then on. Needs the role owner.';
export const RetireKeyQuery = z.strictObject({ force: QueryFlag.describe(retireForce) });
export const RetireKey = z
  .strictObject({ force: z.boolean().default(false).describe(retireForce), reason: Reason })
  .nullish()
  .meta({ id: 'RetireKey' });

export const RetiredKey = z.object({ kid: z.string(), status: z.literal('gone') }).meta({ id: 'RetiredKey' });
