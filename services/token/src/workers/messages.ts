import type { Config } from '@authserver/config';
import type { Report } from '@authserver/http';
import type { MetricsSnapshot } from '@authserver/telemetry';

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
  | { type: 'ask'; id: number; about: 'metrics' | 'report' }
  | { type: 'reload_keys' }
  | { type: 'drain' }
  /** `relieved` when another worker has its place already. */
  | { type: 'close'; relieved: boolean }
  /** Whatever was on its way to the worker has arrived by now. */
  | { type: 'end' };

export type FromWorker =
  | { type: 'up' }
  | { type: 'serving'; port: number }
  /** `away`: waiting may mend it. */
  | { type: 'failed'; message: string; away: boolean }
  | { type: 'answer'; id: number; answer: MetricsSnapshot | Report }
  /** The last word on its metrics. */
  | { type: 'closed'; metrics: MetricsSnapshot };
