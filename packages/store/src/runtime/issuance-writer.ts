import type { Queryable } from '../db.ts';
import { StoreUnavailable } from '../errors.ts';
import { type Issuance, issuances } from './issuances.ts';

export type IssuanceWriter = {
  /** Resolves once the row is committed; only then may the token leave. @throws {StoreUnavailable} when the queue is full */
  write(row: Issuance): Promise<void>;
};

type Waiting = { row: Issuance; resolve: () => void; reject: (error: unknown) => void };

/**
 * Group commit: while statements are in flight the next rows gather, and go out together when one returns.
 *
 * There is no timer, so an idle server adds no delay, and a busy one pays one round trip and one WAL flush for many
 * tokens. Two statements in flight keep PostgreSQL working while we build the next batch.
 */
export const createIssuanceWriter = (
  db: Queryable,
  limits = { queue: 8192, batch: 256, inFlight: 2 },
): IssuanceWriter => {
  const table = issuances(db);
  const queue: Waiting[] = [];
  let inFlight = 0;
  let scheduled = false;

  const flush = (): void => {
    scheduled = false;
    while (queue.length > 0 && inFlight < limits.inFlight) {
      const batch = queue.splice(0, limits.batch);
      inFlight += 1;
      table
        .insertMany(batch.map((waiting) => waiting.row))
        .then(
          () => {
            for (const waiting of batch) waiting.resolve();
          },
          (error: unknown) => {
            // When the database does not answer, those who wait behind must not each wait as long again.
            const failed = error instanceof StoreUnavailable ? [...batch, ...queue.splice(0)] : batch;
            for (const waiting of failed) waiting.reject(error);
          },
        )
        .finally(() => {
          inFlight -= 1;
          flush();
        });
    }
  };

  return {
    write: (row) =>
      new Promise<void>((resolve, reject) => {
        if (queue.length >= limits.queue) {
          reject(new StoreUnavailable('too many tokens are waiting to be recorded'));
          return;
        }
        queue.push({ row, resolve, reject });
        // Requests that arrived in the same turn of the event loop share the first statement as well.
        if (!scheduled && inFlight < limits.inFlight) {
          scheduled = true;
          setImmediate(flush);
        }
      }),
  };
};
