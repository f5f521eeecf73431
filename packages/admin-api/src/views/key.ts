import { z } from 'zod';
import { QueryFlag, Timestamp } from './fields.ts';

export const KeyView = z
  .object({
    kid: z.string(),
    alg: z.string(),
    use: z.literal('sig'),
    status: z
      .enum(['next', 'current', 'retiring'])
      .describe('next: published, signs after the next rotation. retiring: published, verifies only.'),
    created_at: Timestamp,
    activated_at: Timestamp.optional(),
    retired_at: Timestamp.optional(),
  })
  .meta({ id: 'SigningKey' });

export const Keys = z.object({ keys: z.array(KeyView) }).meta({ id: 'SigningKeys' });

const force = 'Rotate although verifiers may not have fetched the next key yet.';
export const RotateKeyQuery = z.strictObject({ force: QueryFlag.describe(force) });
export const RotateKey = z
  .strictObject({ force: z.boolean().default(false).describe(force) })
  .nullish()
  .meta({ id: 'RotateKey' });

export const RotatedKey = z.object({ kid: z.string(), alg: z.string() }).meta({ id: 'RotatedKey' });
