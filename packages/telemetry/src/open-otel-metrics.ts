import type { OtelMetricsOptions } from './otel-metrics.ts';

export type OtelMetrics = {
  /** Sends once more, but takes no longer than it may. */
  stop(withinMs: number): Promise<void>;
};

export type OtelMetricsSettings = {
  provider: 'prometheus' | 'otel' | 'both' | 'none';
  otel_endpoint?: string | undefined;
  insecure: boolean;
};

/** The push of metrics, if it is on. What it is made of is loaded only then. */
export const openOtelMetrics = async (
  settings: OtelMetricsSettings,
  options: Omit<OtelMetricsOptions, 'settings'>,
): Promise<OtelMetrics | undefined> => {
  const { provider, otel_endpoint: endpoint, insecure } = settings;
  if ((provider !== 'otel' && provider !== 'both') || endpoint === undefined) return undefined;
  const { startOtelMetrics } = await import('./otel-metrics.ts');
  return startOtelMetrics({ ...options, settings: { endpoint, insecure } });
};
