import { createLogger, type Logger } from './logger.ts';
import type { OnDropped } from './otlp.ts';
import type { OtlpLogs } from './otlp-logs.ts';

/** `observability.logging` */
export type LogSettings = {
  level: string;
  format: 'json' | 'text';
  add_source: boolean;
  outputs: { stdout: boolean; otel: boolean; otel_endpoint?: string | undefined; insecure: boolean };
};

export type Log = {
  logger: Logger;
  /** Sends what is left over OTLP, for as long as it may take. */
  stop(withinMs: number): Promise<void>;
};

/**
 * The log of a process, wherever the settings want it. Standard output can be left out only where OTLP is there: a server
 * without any log is one nobody can ask what happened.
 */
export const openLog = async (
  { level, format, add_source: source, outputs }: LogSettings,
  { instanceId, component, onDropped }: { instanceId: string; component?: string | undefined; onDropped: OnDropped },
): Promise<Log> => {
  let otlp: OtlpLogs | undefined;
  if (outputs.otel && outputs.otel_endpoint !== undefined) {
    const { startOtlpLogs } = await import('./otlp-logs.ts');
    const { otel_endpoint: endpoint, insecure } = outputs;
    otlp = await startOtlpLogs({ endpoint, insecure, instanceId, logger: () => logger, onDropped });
  }
  const text = format === 'text' ? (await import('./text-lines.ts')).openTextLines() : undefined;
  const logger: Logger = createLogger({
    ...{ level, text, source, stdout: outputs.stdout || !otlp, also: otlp?.write },
    ...(component === undefined ? {} : { component }),
  });
  return { logger, stop: async (withinMs) => otlp?.stop(withinMs) };
};
