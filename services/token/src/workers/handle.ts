import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { url as inspected } from 'node:inspector';
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

/** Those of the parent. What inspects it has the port it asked for, so each worker takes a free one. */
const ownArguments = (): string[] => (inspected() ? [...process.execArgv, '--inspect-port=0'] : process.execArgv);

/**
 * Starts a worker. It is told what it stands on when it asks for it, over the channel between the two.
 *
 * @throws {Error} when the system can make no process; most reasons for that come as an end instead
 */
export const startWorker = (start: WorkerStart): WorkerHandle => {
  const worker = fork(program, [asWorker], { serialization: 'advanced', execArgv: ownArguments() });
  const answers = new EventEmitter();
  const serving = Promise.withResolvers<void>();
  serving.promise.catch(() => {}); // whoever waits is told, and nobody has to
  const closed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let latest: MetricsSnapshot = [];
  let isClosed = false;
  let isGone = false;
  let lastId = 0;
  let passing: { id: number; connection: Socket; over: (isSpent: boolean) => void } | undefined;

  const tell = (message: ToWorker, connection?: Socket): void => {
    // One that has just died is noticed by its end, not by our words.
    if (worker.connected) worker.send(message, connection, { keepOpen: true }, () => {});
  };
  /** Ours is closed by us: Node would do so only on arrival, and a client would wait for ever for a worker that died before. */
  const endPassing = (isSpent: boolean): void => {
    if (isSpent) passing?.connection.destroy();
    passing?.over(isSpent);
    passing = undefined;
  };
  const end = (why: string): void => {
    isGone = true;
    serving.reject(new Error(`a worker ended before it served (${why})`));
    closed.resolve();
    ended.resolve();
    endPassing(true); // it may have read what was sent on it
  };
  worker.on('message', (message: FromWorker) => {
    if (message.type === 'up') tell({ type: 'start', start });
    else if (message.type === 'serving') serving.resolve();
    else if (message.type === 'failed')
      serving.reject(message.away ? new StoreUnavailable(message.message) : new Error(message.message));
    else if (message.type === 'taken' || message.type === 'not_taken') {
      if (message.id === passing?.id) endPassing(message.type === 'taken');
    } else if (message.type === 'answer') answers.emit(String(message.id), message.answer);
    else if (message.type === 'closed') {
      isClosed = true;
      latest = message.metrics;
      closed.resolve();
    }
  });
  worker.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
  worker.on('error', ({ message }) => {
    if (worker.pid === undefined) end(message); // it never was one, so it does not exit
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
      if (isGone || !worker.connected) return Promise.resolve(false);
      lastId += 1;
      const id = lastId;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const inDoubt = setTimeout(() => tell({ type: 'is_it_taken', id }), answerMs);
      const over = (isSpent: boolean): void => {
        clearTimeout(inDoubt);
        resolve(isSpent);
      };
      passing = { id, connection, over };
      tell({ type: 'connection', id }, connection);
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
