import { createNoopMeter, type MeterProvider } from '@opentelemetry/api';
import type { OnDropped, OtlpSignal } from './otlp.ts';

/**
 * A batch processor of the SDK says that its queue is full by a measurement of its own and in no other way. This is a meter
 * that hears just that.
 */
export const queueWatch = (signal: OtlpSignal, onDropped: OnDropped): MeterProvider => ({
  getMeter: () =>
    Object.assign(createNoopMeter(), {
      createCounter: () => ({
        add(count: number, attributes: Record<string, unknown> = {}) {
          if (attributes['error.type'] === 'queue_full') onDropped(signal, 'queue_full', count);
        },
      }),
    }),
});
