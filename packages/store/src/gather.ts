import { outsideSpans } from '@authserver/telemetry';
import type { Row } from './db.ts';
import { Deadlocked, StoreUnavailable } from './errors.ts';

export type GatherLimits = {
  /** Items that may wait. */
  queue: number;
  /** Items of one statement. */
  batch: number;
  /** Statements at a time. */
  inFlight: number;
  /** Items for which a second statement goes out beside the first. */
  crowd: number;
  /** How long fewer than a crowd wait for the first to return, in milliseconds. */
  patienceMs: number;
};

const usual: GatherLimits = { queue: 8192, batch: 256, inFlight: 2, crowd: 32, patienceMs: 10 };

/** Told how a statement is shared. */
export type GatherWatch = {
  /** How many wait, for whoever asks. */
  waiting(length: () => number): void;
  batch(size: number): void;
  refused(): void;
};

type Waiting<Item, Result> = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void };

/**
 * One statement for many callers (group commit): while a statement is in flight the next items gather, and go out together
 * when it returns. `run` answers for each item, in their order.
 *
 * A statement costs as much as a dozen of its items, PostgreSQL as well as us. So whoever comes while one is in flight waits
 * for it, unless they become a crowd or it takes long: then a second one goes out beside it. An idle server adds no delay,
 * and a busy one pays one round trip and one WAL flush for many requests.
 *
 * A statement that is refused was undone, whoever was the reason; so it is done again by halves, and only those are refused
 * whose own statement is. When the database does not answer, nobody knows what was done, and all are told so.
 *
 * @throws {StoreUnavailable} from what it returns, when the queue is full
 */
export const gather = <Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  given: Partial<GatherLimits> = {},
  watch?: GatherWatch,
): ((item: Item) => Promise<Result>) => {
  type Batch = readonly Waiting<Item, Result>[];
  const limits = { ...usual, ...given };
  const queue: Waiting<Item, Result>[] = [];
  let inFlight = 0;
  let scheduled = false;
  let patience: NodeJS.Timeout | undefined;
  watch?.waiting(() => queue.length);

  const ask = (batch: Batch): Promise<readonly Result[]> => run(batch.map(({ item }) => item));
  const answer = (batch: Batch, results: readonly Result[]): void => {
    for (const [at, { resolve }] of batch.entries()) resolve(results[at] as Result);
  };

  const afterRefusal = async (batch: Batch, error: unknown): Promise<void> => {
    if (error instanceof StoreUnavailable && !(error instanceof Deadlocked)) {
      // Those who wait behind must not each wait as long again.
      for (const { reject } of [...batch, ...queue.splice(0)]) reject(error);
    } else if (batch.length === 1) batch[0]?.reject(error);
    else {
      const half = Math.ceil(batch.length / 2);
      for (const part of [batch.slice(0, half), batch.slice(half)])
        await ask(part).then(
          (results) => answer(part, results),
          (again: unknown) => afterRefusal(part, again),
        );
    }
  };

  const send = async (): Promise<void> => {
    inFlight += 1;
    const batch = queue.splice(0, limits.batch);
    watch?.batch(batch.length);
    let results: readonly Result[] | undefined;
    try {
      results = await ask(batch);
    } catch (error) {
      await afterRefusal(batch, error);
    }
    inFlight -= 1;
    flush(); // PostgreSQL has the next statement before we work with the answers to this one
    if (results) answer(batch, results);
  };

  const mayLeave = (): boolean =>
    queue.length > 0 && (inFlight === 0 || (inFlight < limits.inFlight && queue.length >= limits.crowd));

  // For whoever waits: it is no part of the request that happened to be first.
  const flush = outsideSpans((): void => {
    scheduled = false;
    while (mayLeave()) void send();
    clearTimeout(patience);
    patience = queue.length > 0 && inFlight < limits.inFlight ? setTimeout(overtake, limits.patienceMs) : undefined;
  });
  const overtake = outsideSpans((): void => {
    patience = undefined;
    if (queue.length > 0 && inFlight < limits.inFlight) void send();
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
      if (!scheduled && (queue.length === 1 || mayLeave())) {
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
