import { slugPattern } from '@authserver/oauth';
import { z } from 'zod';
import { fromCursor } from '../cursor.ts';

/** RFC 3339, UTC. */
export const Timestamp = z.iso.datetime();

/** A query parameter that is on only when it says `true`. */
export const QueryFlag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');

export const Cursor = z
  .string()
  .max(4096)
  .transform((cursor, context) => {
    const position = fromCursor(cursor);
    if (position === undefined) context.addIssue({ code: 'custom', message: 'is none that this list gave out' });
    return position ?? '';
  });

/**
 * Which part of a list. The way to the next page is in the header `Link` (RFC 8288), with a `cursor` that new and
 * deleted rows do not shift. The number of all rows is in `X-Total-Count` of pages that were not asked for by cursor, unless
 * there are more than 100,000, which is as far as `offset` reaches, or more than 500 that a text search found.
 */
export const page = (limit: { default: number; max: number }) => ({
  cursor: Cursor.optional().describe('Where to go on, from the `Link` of the page before; `offset` counts from there.'),
  limit: z.coerce.number<number>().int().min(1).max(limit.max).default(limit.default).describe('Rows at most.'),
  offset: z.coerce.number<number>().int().min(0).max(100_000).default(0).describe('Rows to skip.'),
});

/** Text without control characters, and without what PostgreSQL cannot keep, such as half a surrogate pair. */
export const plainText = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !/\p{Cc}/u.test(value) && value.isWellFormed(), 'must not contain control characters');

export const Slug = z
  .string()
  .toLowerCase()
  .regex(slugPattern, 'must be 1 to 64 of a-z, 0-9 and -, not starting with -')
  .describe('Name in URLs and on the command line.');

/** An id in a path or a query. One that was never given out is simply not found. */
export const Id = plainText(256).min(1);

/** Part of a text, in any case of letters. Every character stands for itself. */
export const SearchText = plainText(256).trim().min(1);

/** A deletion that may end what is still in use. */
export const ForceQuery = z.strictObject({
  force: QueryFlag.describe('Delete even though live tokens exist; they end with it.'),
});
