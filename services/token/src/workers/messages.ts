import type { Config } from '@authserver/config';
import type { Report } from '@authserver/http';
import type { MetricsSnapshot } from '@authserver/telemetry';

/** The argument by which the program of the token service is one of its own workers. */
export const asWorker = 'worker';

/** What a worker stands on. Secrets travel in here and nowhere else: a command line and an environment can be read. */
export type WorkerStart = {
  config: Config;
  dsn: string;
  sessionSecret: string;
  steps: readonly { title: string; command: string }[];
  /** Takes the place of a worker that served. */
  succeeds: boolean;
};

export type ToWorker =
  | { type: 'start'; start: WorkerStart }
  /** With a connection for it. */
  | { type: 'connection'; id: number }
  /** Comes behind that connection, or where that would have been. */
  | { type: 'is_it_taken'; id: number }
  | { type: 'ask'; id: number; about: 'metrics' | 'report' }
  | { type: 'reload_keys' }
  | { type: 'drain' }
  /** `relieved` when another worker has its place already. It gets no connection after this. */
  | { type: 'close'; relieved: boolean }
  /** What it said has been heard. */
  | { type: 'end' };

export type FromWorker =
  | { type: 'up' }
  | { type: 'serving' }
  | { type: 'taken'; id: number }
  /** It was lost on its way, as connections are where the worker has run out of descriptors. */
  | { type: 'not_taken'; id: number }
  /** `away`: waiting may mend it. */
  | { type: 'failed'; message: string; away: boolean }
  | { type: 'answer'; id: number; answer: MetricsSnapshot | Report }
  /** The last word on its metrics. */
  | { type: 'closed'; metrics: MetricsSnapshot };
