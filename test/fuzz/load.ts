/** The other side of the fuzzer: a thread of its own, so that it does not sit in the event loop that is measured. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Real } from './endpoints.ts';
import { exchange } from './exchange.ts';
import { requestOf } from './requests.ts';
import { complaint } from './verdict.ts';

export type LoadOptions = {
  port: number;
  real: Real;
  seed: number;
  /** Number of the first request. */
  first: number;
  /** Until when, or how many. */
  seconds: number;
  count: number;
  timeoutMs: number;
};

export type Failure = { index: number; endpoint: string; complaint: string; sent: string; answered: string };

export type LoadReport = {
  requests: number;
  failures: Failure[];
  /** Answers below 400, by method and path as they were meant. */
  accepted: Record<string, number>;
  statuses: Record<string, number>;
  /** When each request was under way, by `performance.timeOrigin` and `performance.now()` together. */
  spans: { index: number; from: number; to: number }[];
};

const parallel = 6;
const keptFailures = 20;

const run = async (options: LoadOptions): Promise<LoadReport> => {
  const report: LoadReport = { requests: 0, failures: [], accepted: {}, statuses: {}, spans: [] };
  const until = performance.now() + options.seconds * 1000;
  let next = options.first;
  const wanted = () => performance.now() < until && next < options.first + options.count;
  const worker = async () => {
    while (wanted() && report.failures.length < keptFailures) {
      const index = next;
      next += 1;
      const request = requestOf(options.real, options.seed, index);
      const from = performance.timeOrigin + performance.now();
      // What was damaged may leave the server waiting for the rest, which is no news.
      const answer = await exchange(options.port, request.bytes, request.damaged ? 300 : options.timeoutMs);
      report.spans.push({ index, from, to: performance.timeOrigin + performance.now() });
      report.requests += 1;
      report.statuses[answer.status] = (report.statuses[answer.status] ?? 0) + 1;
      if (answer.status >= 200 && answer.status < 400)
        report.accepted[request.endpoint] = (report.accepted[request.endpoint] ?? 0) + 1;
      const wrong = complaint(request, answer);
      if (wrong !== undefined)
        report.failures.push({
          index,
          endpoint: request.endpoint,
          complaint: wrong,
          sent: request.bytes.subarray(0, 2_000).toString('latin1'),
          answered: `${answer.head}\n\n${answer.body}`.slice(0, 1_000),
        });
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return report;
};

parentPort?.postMessage(await run(workerData as LoadOptions));
