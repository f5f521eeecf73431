/** The log as OTLP has it: each line that is written becomes a record. Loaded only where it is wanted. */
import { type AnyValue, ROOT_CONTEXT, SeverityNumber, TraceFlags, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { Logger } from './logger.ts';
import {
  batches,
  endWithin,
  type OnDropped,
  type OtlpSettings,
  otlpTarget,
  resourceAttributes,
  watchExports,
} from './otlp.ts';
import { queueWatch } from './otlp-queue.ts';
import { version } from './version.ts';

export type OtlpLogs = { write(line: string): void; stop(withinMs: number): Promise<void> };

/** @param logger told when the collector takes nothing; the one whose lines are sent */
export const startOtlpLogs = async (
  options: OtlpSettings & { instanceId: string; logger: () => Logger; onDropped: OnDropped },
): Promise<OtlpLogs> => {
  const { logger, onDropped } = options;
  const exporter = watchExports(await openExporter(options), { signal: 'logs', logger, onDropped });
  const selfObsMeterProvider = queueWatch('logs', onDropped);
  const provider = new LoggerProvider({
    resource: resourceFromAttributes(resourceAttributes(options.instanceId)),
    processors: [new BatchLogRecordProcessor({ exporter, selfObsMeterProvider, ...batches })],
    logRecordLimits: { attributeValueLengthLimit: 4_096 },
  });
  const records = provider.getLogger('authserver', version);
  return {
    write(line) {
      const { level, time, msg, service, trace_id, span_id, ...attributes } = JSON.parse(line) as Line;
      const timestamp = Date.parse(time);
      records.emit({
        ...{ timestamp, observedTimestamp: timestamp, body: msg, attributes },
        ...{ severityText: level.toUpperCase(), severityNumber: severities[level] ?? SeverityNumber.UNSPECIFIED },
        ...(trace_id === undefined || span_id === undefined ? {} : { context: contextOf(trace_id, span_id) }),
      });
    },
    stop: (withinMs) => endWithin(withinMs, provider.shutdown()),
  };
};

type Line = {
  level: string;
  time: string;
  msg: string;
  service: string;
  trace_id?: string;
  span_id?: string;
  [field: string]: AnyValue;
};

const severities: Record<string, SeverityNumber> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
};

const contextOf = (traceId: string, spanId: string) =>
  trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED });

const openExporter = async (settings: OtlpSettings): Promise<LogRecordExporter> => {
  const { protocol, url } = otlpTarget(settings, 'logs');
  const { OTLPLogExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-logs-otlp-grpc')
      : await import('@opentelemetry/exporter-logs-otlp-proto');
  return new OTLPLogExporter({ url, timeoutMillis: batches.exportTimeoutMillis });
};
