import type { Tracing } from './spans.ts';
import type { TracingOptions } from './tracing.ts';

/** Tracing, if it is on. What it is made of is loaded only then. */
export const openTracing = async (
  settings: { enabled: boolean; endpoint?: string | undefined; insecure: boolean; sample_rate: number },
  options: Pick<TracingOptions, 'instanceId' | 'logger'>,
): Promise<Tracing | undefined> => {
  const { enabled, endpoint, insecure, sample_rate: sampleRate } = settings;
  if (!enabled || endpoint === undefined) return undefined;
  const { startTracing } = await import('./tracing.ts');
  return startTracing({ ...options, endpoint, insecure, sampleRate });
};
