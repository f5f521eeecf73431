import { z } from 'zod';

/** RFC 3339, UTC. */
export const Timestamp = z.iso.datetime();

/** A query parameter that is on only when it says `true`. */
export const QueryFlag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');

/** `limit` and `offset` of a list. The number of all rows travels in the header `X-Total-Count`. */
export const page = (limit: { default: number; max: number }) => ({
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
