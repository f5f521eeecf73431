import cluster, { type Worker } from 'node:cluster';
import { EventEmitter, once } from 'node:events';
import type { Report } from '@authserver/http';
import { StoreUnavailable } from '@authserver/store';
import type { MetricsSnapshot } from '@authserver/telemetry';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';

/** A worker as its parent sees it. */
export type WorkerHandle = {
  /** Resolves to its port. @throws {Error} with what it said when it could not start */
  serving: Promise<number>;
  /** Resolves when the process is gone. */
  ended: Promise<void>;
  /** The latest values it sent; the last ones after its end. */
  metrics(): MetricsSnapshot;
  /** Asks for its values; when it does not answer in time, those it sent before stay. */
  refreshMetrics(): Promise<void>;
  /** Undefined when it does not answer in time. */
  report(): Promise<Report | undefined>;
  tell(message: ToWorker): void;
  /**
   * Lets it finish its requests and end, and kills it when it takes longer than `waitMs`. One that is `relieved` goes on
   * calling itself ready on the connections it has: the port they lead to is.
   */
  close(waitMs: number, options?: { relieved: boolean }): Promise<void>;
  kill(): void;
};

const answerMs = 700;

/** Starts a worker. It is told what it stands on when it asks for it, over the channel between the two. */
export const startWorker = (start: WorkerStart): WorkerHandle => {
  const worker: Worker = cluster.fork();
  const answers = new EventEmitter();
  const serving = Promise.withResolvers<number>();
  serving.promise.catch(() => {}); // whoever waits is told, and nobody has to
  const closed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let latest: MetricsSnapshot = [];
  let isClosed = false;
  let lastId = 0;

  const tell = (message: ToWorker): void => {
    // One that has just died is noticed by its end, not by our words.
    if (worker.isConnected()) worker.process.send(message, () => {});
  };
  worker.on('error', () => {});
  worker.on('message', (message: FromWorker) => {
    if (message.type === 'up') tell({ type: 'start', start });
    else if (message.type === 'serving') serving.resolve(message.port);
    else if (message.type === 'failed')
      serving.reject(message.away ? new StoreUnavailable(message.message) : new Error(message.message));
    else if (message.type === 'answer') answers.emit(String(message.id), message.answer);
    else if (message.type === 'closed') {
      isClosed = true;
      latest = message.metrics;
      closed.resolve();
    }
  });
  worker.on('exit', (code, signal) => {
    serving.reject(new Error(`a worker ended before it served (${signal ?? `exit code ${code}`})`));
    closed.resolve();
    ended.resolve();
  });

  const ask = async <T>(about: 'metrics' | 'report'): Promise<T | undefined> => {
    lastId += 1;
    const id = lastId;
    const answer = once(answers, String(id), { signal: AbortSignal.timeout(answerMs) });
    tell({ type: 'ask', id, about });
    return answer.then(
      ([value]) => value as T,
      () => undefined,
    );
  };

  const leave = async (waitMs: number, relieved: boolean): Promise<void> => {
    const late = setTimeout(() => worker.process.kill('SIGKILL'), waitMs);
    tell({ type: 'close', relieved });
    await closed.promise;
    tell({ type: 'end' });
    await ended.promise;
    clearTimeout(late);
  };
  let leaving: Promise<void> | undefined;

  return {
    serving: serving.promise,
    ended: ended.promise,
    metrics: () => latest,
    async refreshMetrics() {
      const fresh = await ask<MetricsSnapshot>('metrics');
      if (fresh && !isClosed) latest = fresh;
    },
    report: () => ask<Report>('report'),
    tell,
    close(waitMs, { relieved } = { relieved: false }) {
      leaving ??= leave(waitMs, relieved);
      return leaving;
    },
    kill: () => void worker.process.kill('SIGKILL'),
  };
};
