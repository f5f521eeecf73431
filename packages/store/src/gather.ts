import { outsideSpans } from '@authserver/telemetry';
import type { Row } from './db.ts';
import { Deadlocked, StoreUnavailable } from './errors.ts';

export type GatherLimits = { queue: number; batch: number; inFlight: number };

/** Told how a statement is shared. */
export type GatherWatch = {
  /** How many wait, for whoever asks. */
  waiting(length: () => number): void;
  batch(size: number): void;
  refused(): void;
};

type Waiting<Item, Result> = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void };

/**
 * One statement for many callers (group commit): while statements are in flight the next items gather, and go out together
 * when one returns. `run` answers for each item, in their order.
 *
 * There is no timer, so an idle server adds no delay, and a busy one pays one round trip and one WAL flush for many
 * requests. Two statements in flight keep PostgreSQL working while we build the next batch.
 *
 * A statement that is refused was undone, whoever was the reason; so it is done again by halves, and only those are refused
 * whose own statement is. When the database does not answer, nobody knows what was done, and all are told so.
 *
 * @throws {StoreUnavailable} from what it returns, when the queue is full
 */
export const gather = <Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  limits: GatherLimits = { queue: 8192, batch: 256, inFlight: 2 },
  watch?: GatherWatch,
): ((item: Item) => Promise<Result>) => {
  const queue: Waiting<Item, Result>[] = [];
  let inFlight = 0;
  let scheduled = false;
  watch?.waiting(() => queue.length);

  const settle = async (batch: readonly Waiting<Item, Result>[]): Promise<void> => {
    try {
      const results = await run(batch.map(({ item }) => item));
      for (const [at, { resolve }] of batch.entries()) resolve(results[at] as Result);
    } catch (error) {
      if (error instanceof StoreUnavailable && !(error instanceof Deadlocked)) {
        // Those who wait behind must not each wait as long again.
        for (const { reject } of [...batch, ...queue.splice(0)]) reject(error);
      } else if (batch.length === 1) batch[0]?.reject(error);
      else {
        const half = Math.ceil(batch.length / 2);
        await settle(batch.slice(0, half));
        await settle(batch.slice(half));
      }
    }
  };

  // For whoever waits: it is no part of the request that happened to be first.
  const flush = outsideSpans((): void => {
    scheduled = false;
    while (queue.length > 0 && inFlight < limits.inFlight) {
      inFlight += 1;
      const batch = queue.splice(0, limits.batch);
      watch?.batch(batch.length);
      void settle(batch).then(() => {
        inFlight -= 1;
        flush();
      });
    }
  });

  return (item) =>
    new Promise((resolve, reject) => {
      if (queue.length >= limits.queue) {
        watch?.refused();
        reject(new StoreUnavailable('too many requests are waiting for the database'));
        return;
      }
      queue.push({ item, resolve, reject });
      // Requests that arrived in the same turn of the event loop share the first statement as well.
      if (!scheduled && inFlight < limits.inFlight) {
        scheduled = true;
        setImmediate(flush);
      }
    });
};

/** Rows that say by `n`, counted from 1, which item they answer, in the order of the items. */
export const inOrder = <R extends Row>(rows: readonly R[], items: readonly unknown[]): (R | undefined)[] => {
  const ordered = new Array<R | undefined>(items.length).fill(undefined);
  for (const row of rows) ordered[(row.n as number) - 1] = row;
  return ordered;
};
