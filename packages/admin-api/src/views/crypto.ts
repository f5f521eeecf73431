import { z } from 'zod';

const count = z.int().min(0);

export const CryptoStatus = z
  .object({
    driver: z.string().describe('What encrypts now; empty when nothing does.'),
    values: z
      .array(
        z.object({
          column: z.string().describe('Where they are: table and column.'),
          backend: z.string().describe('What encrypted them.'),
          key: z.string().describe('Which key of it: the id of a master key, or the version of a key in Vault.'),
          current: z.boolean().describe('Whether that is the key in use now.'),
          opens: z.boolean().describe('Whether one of them could be opened.'),
          count,
        }),
      )
      .describe('What is encrypted, by the key that encrypted it.'),
    to_reencrypt: count.describe('Values that another key than the one in use encrypted.'),
  })
  .meta({ id: 'CryptoStatus' });

export const Reencryption = z
  .object({
    driver: z.string(),
    scanned: count.describe('Values that were looked at.'),
    reencrypted: count.describe(
      'Values that are encrypted with the key in use since now; in a dry run, that would be.',
    ),
    changed: count.describe(
      'Values that somebody else replaced or deleted meanwhile, and which were left as they are.',
    ),
    unreadable: count.describe('Values that no configured key opens. They were left as they are.'),
    unreadable_owners: z.array(z.string()).describe('The first of those whose values they are.'),
    left: count.describe('Values that are not encrypted with the key in use, after all.'),
  })
  .meta({ id: 'Reencryption' });
