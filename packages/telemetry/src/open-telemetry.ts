import { randomUUID } from 'node:crypto';
import type { Logger } from './logger.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type LogSettings, openLog } from './open-log.ts';
import { type OtelMetricsSettings, openOtelMetrics } from './open-otel-metrics.ts';
import type { OnDropped } from './otlp.ts';
import type { Tracing } from './spans.ts';

/** `observability` */
export type TelemetrySettings = {
  logging: LogSettings;
  metrics: OtelMetricsSettings;
  tracing: { enabled: boolean; endpoint?: string | undefined; insecure: boolean; sample_rate: number };
};

/** What a process says of itself while it runs. */
export type Telemetry = {
  logger: Logger;
  metrics: Metrics;
  /** Undefined while it is off. */
  tracing: Tracing | undefined;
  /** Sends what is left over OTLP, for as long as it may take; this is the last thing a process does. */
  stop(withinMs: number): Promise<void>;
};

/**
 * The log, the metrics and the traces of a process, as the settings want them. What OTLP is made of is loaded only where it
 * is on. A worker does not push its metrics: its parent adds them up.
 */
export const openTelemetry = async (
  settings: TelemetrySettings,
  { component, isWorker = false }: { component?: string; isWorker?: boolean } = {},
): Promise<Telemetry> => {
  const instanceId = randomUUID();
  const metrics = createMetrics();
  const onDropped: OnDropped = (signal, reason, count) => metrics.telemetryDropped.inc({ signal, reason }, count);
  const log = await openLog(settings.logging, { instanceId, component, onDropped });
  const sender = { instanceId, logger: log.logger, onDropped };
  const pushed = isWorker ? undefined : await openOtelMetrics(settings.metrics, { ...sender, read: metrics.whole });
  const tracing = await openTracing(settings.tracing, sender);
  return {
    logger: log.logger,
    metrics,
    tracing,
    async stop(withinMs) {
      await Promise.all([tracing?.stop(withinMs), pushed?.stop(withinMs), log.stop(withinMs)]);
    },
  };
};

const openTracing = async (
  { enabled, endpoint, insecure, sample_rate: sampleRate }: TelemetrySettings['tracing'],
  sender: { instanceId: string; logger: Logger; onDropped: OnDropped },
): Promise<Tracing | undefined> => {
  if (!enabled || endpoint === undefined) return undefined;
  const { startTracing } = await import('./tracing.ts');
  return startTracing({ ...sender, endpoint, insecure, sampleRate });
};
