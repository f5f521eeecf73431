/**
 * What metrics, traces and logs have in common when they leave over OTLP. Where to is an operator's own collector, mostly
 * on a private address; so none of this is for the guarded client of packages/outbound, which is for addresses that a
 * stranger named.
 */
import { hostname } from 'node:os';
import type { Logger } from './logger.ts';
import { version } from './version.ts';

export type OtlpSettings = { endpoint: string; insecure: boolean };
export type OtlpSignal = 'traces' | 'metrics' | 'logs';

/**
 * `host:port` and `grpc://host:port` mean gRPC, with TLS unless `insecure`; `http://` and `https://` mean protobuf over
 * HTTP, at the path of the signal unless it is there already.
 */
export const otlpTarget = (
  { endpoint, insecure }: OtlpSettings,
  signal: OtlpSignal,
): { protocol: 'grpc' | 'http'; url: string } => {
  if (/^https?:\/\//i.test(endpoint)) {
    const url = new URL(endpoint);
    if (!url.pathname.endsWith(`/v1/${signal}`)) url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/${signal}`;
    return { protocol: 'http', url: url.href };
  }
  const place = endpoint.replace(/^grpc:\/\//i, '');
  return { protocol: 'grpc', url: `${insecure ? 'http' : 'https'}://${place}` };
};

/** Who it is that sends: one instance is one process. */
export const resourceAttributes = (instanceId: string): Record<string, string> => ({
  'service.name': 'authserver',
  'service.version': version,
  'service.instance.id': instanceId,
  'host.name': hostname(),
});

/** What is sent, and when it is given up, in milliseconds and numbers of spans or records. */
export const batches = { scheduledDelayMillis: 1_000, exportTimeoutMillis: 5_000, maxQueueSize: 8_192 } as const;

/** Told how many spans, records or pushes of metrics are lost, and why. */
export type OnDropped = (signal: OtlpSignal, reason: 'queue_full' | 'not_taken', count: number) => void;

type Outcome = { code: number; error?: Error | undefined };
type Exporter<T> = { export(items: T, done: (outcome: Outcome) => void): void; shutdown(): Promise<void> };

/**
 * Says once that a collector takes nothing, and once that it does again: a line for each attempt would help nobody. What it
 * did not take is counted, for it is not sent again.
 */
export const watchExports = <T, E extends Exporter<T>>(
  exporter: E,
  { signal, logger, onDropped }: { signal: OtlpSignal; logger: () => Logger; onDropped: OnDropped },
): E => {
  let failing = false;
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    send(items, (outcome) => {
      const failed = outcome.code !== 0;
      if (failed && !failing)
        logger().warn({ signal, reason: reasonOf(outcome.error) }, 'OTLP is not accepted; it is tried on');
      if (!failed && failing) logger().info({ signal }, 'OTLP is accepted again');
      if (failed) onDropped(signal, 'not_taken', Array.isArray(items) ? items.length : 1);
      failing = failed;
      done(outcome);
    });
  return exporter;
};

/** The collector's own words stay with it: they may repeat what was sent. */
const reasonOf = (error: Error | undefined): string => {
  const { code, name } = (error ?? {}) as { code?: string | number; name?: string };
  return String(code ?? name ?? 'unknown');
};

/** Waits for the last batch, but no longer than a process may take to end. */
export const endWithin = async (withinMs: number, work: Promise<unknown>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, withinMs);
  });
  await Promise.race([work.catch(() => {}), late]);
  clearTimeout(timer);
};
