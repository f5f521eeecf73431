import { z } from 'zod';
import { fromCursor } from '../cursor.ts';

/** RFC 3339, UTC. */
export const Timestamp = z.iso.datetime();

/** A query parameter that is on only when it says `true`. */
export const QueryFlag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');

const Cursor = z
  .string()
  .max(1024)
  .transform((cursor, context) => {
    const position = fromCursor(cursor);
    if (position === undefined) context.addIssue({ code: 'custom', message: 'is none that this list gave out' });
    return position ?? '';
  });

/**
 * Which part of a list. The way to the next page is in the header `Link` (RFC 8288), with a `cursor` that new and
 * deleted rows do not shift; the number of all rows is in `X-Total-Count`.
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

/** An id in a path or a query. One that was never given out is simply not found. */
export const Id = plainText(256).min(1);

/** A deletion that may end what is still in use. */
export const ForceQuery = z.strictObject({
  force: QueryFlag.describe('Delete even though live tokens exist; they end with it.'),
});
