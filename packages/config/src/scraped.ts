import type { Config } from './schema.ts';

/** Whether Prometheus finds something at `observability.metrics.path`. */
export const isScraped = ({ observability: { metrics } }: Config): boolean =>
  metrics.provider === 'prometheus' || metrics.provider === 'both';
