import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Report } from '@authserver/http';
import { StoreUnavailable } from '@authserver/store';
import type { MetricsSnapshot } from '@authserver/telemetry';
import type { Receiver } from './door.ts';
import { asWorker, type FromWorker, type ToWorker, type WorkerStart } from './messages.ts';

/** A worker as its parent sees it. */
export type WorkerHandle = Receiver & {
  /** Resolves when it answers. @throws {Error} with what it said when it could not start */
  serving: Promise<void>;
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

/** Beside the sources, or in the bundle. */
const program = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : './token.js', import.meta.url));

/** Starts a worker. It is told what it stands on when it asks for it, over the channel between the two. */
export const startWorker = (start: WorkerStart): WorkerHandle => {
  const worker = fork(program, [asWorker], { serialization: 'advanced' });
  const answers = new EventEmitter();
  const serving = Promise.withResolvers<void>();
  serving.promise.catch(() => {}); // whoever waits is told, and nobody has to
  const closed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let latest: MetricsSnapshot = [];
  let isClosed = false;
  let lastId = 0;
  let passing: { id: number; connection: Socket; over: () => void } | undefined;

  const tell = (message: ToWorker, connection?: Socket): void => {
    // One that has just died is noticed by its end, not by our words.
    if (worker.connected) worker.send(message, connection, { keepOpen: true }, () => {});
  };
  /** Node closes what it sends once it has arrived, but not if the worker dies before: its client would wait for ever. */
  const endPassing = (): void => {
    passing?.connection.destroy();
    passing?.over();
    passing = undefined;
  };
  worker.on('error', () => {});
  worker.on('message', (message: FromWorker) => {
    if (message.type === 'up') tell({ type: 'start', start });
    else if (message.type === 'serving') serving.resolve();
    else if (message.type === 'failed')
      serving.reject(message.away ? new StoreUnavailable(message.message) : new Error(message.message));
    else if (message.type === 'taken') {
      if (message.id === passing?.id) endPassing();
    } else if (message.type === 'answer') answers.emit(String(message.id), message.answer);
    else if (message.type === 'closed') {
      isClosed = true;
      latest = message.metrics;
      closed.resolve();
    }
  });
  worker.on('exit', (code, signal) => {
    serving.reject(new Error(`a worker ended before it served (${signal ?? `exit code ${code}`})`));
    endPassing();
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
    const late = setTimeout(() => worker.kill('SIGKILL'), waitMs);
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
    take(connection) {
      lastId += 1;
      const id = lastId;
      const { promise, resolve } = Promise.withResolvers<void>();
      const inDoubt = setTimeout(() => tell({ type: 'is_it_taken', id }), answerMs);
      passing = { id, connection, over: resolve };
      void promise.then(() => clearTimeout(inDoubt));
      tell({ type: 'connection', id }, connection);
      if (!worker.connected) endPassing();
      return promise;
    },
    report: () => ask<Report>('report'),
    tell,
    close(waitMs, { relieved } = { relieved: false }) {
      leaving ??= leave(waitMs, relieved);
      return leaving;
    },
    kill: () => void worker.kill('SIGKILL'),
  };
};
