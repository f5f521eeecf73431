import { Readable } from 'node:stream';
import type { z } from 'zod';

/**
 * An answer of many lines of JSON, each made when the caller has taken those before: nothing piles up here for one who is
 * slow, and whoever goes away ends the work behind it. The first line is waited for, so that what goes wrong before it is
 * still answered as a problem; what goes wrong later breaks the answer off.
 */
export const linesOf = async (items: AsyncIterable<unknown>, shape: z.ZodType): Promise<Readable> => {
  const iterator = items[Symbol.asyncIterator]();
  const first = await iterator.next();
  const lines = async function* () {
    try {
      for (let next = first; !next.done; next = await iterator.next())
        yield `${JSON.stringify(shape.parse(next.value))}\n`;
    } finally {
      await iterator.return?.();
    }
  };
  return Readable.from(lines(), { objectMode: false });
};
