import { addressKey } from '@authserver/http';
import type { ConnectionEvent } from '@authserver/store';
import { createBudget } from '../limits/budget.ts';

export type FlightRecorder = {
  /**
   * Takes an event of a client address, or drops it when the address or this pod has written too many; never waits, never
   * throws. What is dropped is not made.
   */
  record(ip: string, event: () => ConnectionEvent): void;
  /** Writes what is still in memory. */
  close(): Promise<void>;
};

export type RecorderOptions = {
  write: (events: readonly ConnectionEvent[]) => Promise<void>;
  onDropped: (events: number) => void;
  flushAfterMs?: number;
};

const batchSize = 200;
const longestQueue = 2_000;

/**
 * Anybody may cause events without proving anything, so two budgets bound the rows: one address cannot drown the others,
 * and all together cannot fill the disk (5 a second are 432,000 rows in the day they are kept, some 150 MB).
 */
const perAddress = { ratePerSecond: 0.5, burst: 60, maxKeys: 10_000 };
const perPod = { ratePerSecond: 5, burst: 600, maxKeys: 1 };

/** Events gather for a moment and are written together, beside the requests. What cannot be written is dropped. */
export const createFlightRecorder = ({ write, onDropped, flushAfterMs = 200 }: RecorderOptions): FlightRecorder => {
  const addressBudget = createBudget(perAddress);
  const podBudget = createBudget(perPod);
  let queue: ConnectionEvent[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue.slice(0, batchSize);
      queue = queue.slice(batchSize);
      await write(batch).catch(() => onDropped(batch.length));
    }
  };
  const flushOnce = (): Promise<void> => {
    writing ??= flush().finally(() => {
      writing = undefined;
    });
    return writing;
  };

  return {
    record(ip, event) {
      const now = performance.now();
      const taken =
        queue.length < longestQueue && addressBudget(addressKey(ip), now) && podBudget('', now) && queue.push(event());
      if (!taken) {
        onDropped(1);
        return;
      }
      timer ??= setTimeout(() => {
        timer = undefined;
        void flushOnce();
      }, flushAfterMs);
      timer.unref();
    },
    async close() {
      clearTimeout(timer);
      await flushOnce();
      await flush();
    },
  };
};
