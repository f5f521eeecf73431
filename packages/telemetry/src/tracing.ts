/**
 * Makes spans and sends them. Loaded only where tracing is on.
 *
 * Whether a request is recorded is decided before anything is made of it. A caller's own decision counts only when it comes
 * by a trusted proxy: anybody can send `traceparent` with the sampled flag set, and pay nothing for what it costs us. For
 * everybody else chance decides, not the trace id, which they may choose; and their trace is not continued but linked to,
 * so that nobody can write into a trace of somebody else's (docs/decisions/0031-whose-trace-is-followed.md).
 */
import {
  type Attributes,
  type Context,
  type Span as OtelSpan,
  SpanKind as OtelSpanKind,
  ROOT_CONTEXT,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
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
import type { Span, SpanAttributes, SpanKind, SpanOptions, TracedRequest, Tracing } from './spans.ts';
import { version } from './version.ts';

export type TracingOptions = OtlpSettings & {
  sampleRate: number;
  instanceId: string;
  logger: Logger;
  onDropped: OnDropped;
};

export const startTracing = async (options: TracingOptions): Promise<Tracing> => {
  const { onDropped } = options;
  const watched = { signal: 'traces', logger: () => options.logger, onDropped } as const;
  const exporter = watchExports(await openExporter(options), watched);
  const selfObsMeterProvider = queueWatch('traces', onDropped);
  const provider = new TracerProvider({
    resource: resourceFromAttributes(resourceAttributes(options.instanceId)),
    spanProcessors: [new BatchSpanProcessor({ exporter, selfObsMeterProvider, ...batches })],
    spanLimits: { attributeValueLengthLimit: 256 },
  });
  const tracer = provider.getTracer('authserver', version);
  const isChosen = (): boolean => Math.random() < options.sampleRate;

  return {
    begin(name, { headers, isTrusted, attributes }) {
      const context = contextOf({ headers, isTrusted }, isChosen);
      if (context === undefined) return undefined;
      const span = tracer.startSpan(
        name,
        { kind: kinds.server, attributes: attributes as Attributes, links: context.links },
        context.parent,
      );
      return new RecordedSpan(tracer, span, { isOver: false }, true);
    },

    note(name, seconds, { kind = 'internal', attributes = {}, error }) {
      if (!isChosen()) return;
      const startTime = Date.now() - seconds * 1000;
      const span = tracer.startSpan(
        name,
        { kind: kinds[kind], attributes: attributes as Attributes, startTime },
        ROOT_CONTEXT,
      );
      if (error !== undefined) markFailed(span, error);
      span.end();
    },

    stop: (withinMs) => endWithin(withinMs, provider.shutdown()),
  };
};

const openExporter = async (settings: OtlpSettings): Promise<SpanExporter> => {
  const { protocol, url } = otlpTarget(settings, 'traces');
  const { OTLPTraceExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-trace-otlp-grpc')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter({ url, timeoutMillis: batches.exportTimeoutMillis });
};

/** Where a request's span belongs; undefined when it is not recorded. */
const contextOf = (
  { headers, isTrusted }: Pick<TracedRequest, 'headers' | 'isTrusted'>,
  isChosen: () => boolean,
): { parent: Context; links: { context: SpanContext }[] } | undefined => {
  const { traceparent } = headers;
  if (typeof traceparent !== 'string') return isChosen() ? { parent: ROOT_CONTEXT, links: [] } : undefined;
  const trusted = isTrusted();
  if (!trusted && !isChosen()) return undefined;
  const caller = traceparent.length <= longestTraceparent ? parseTraceParent(traceparent) : null;
  if (caller === null) return !trusted || isChosen() ? { parent: ROOT_CONTEXT, links: [] } : undefined;
  if (!trusted) return { parent: ROOT_CONTEXT, links: [{ context: { ...caller, isRemote: true } }] };
  if ((caller.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return { parent: trace.setSpanContext(ROOT_CONTEXT, { ...caller, isRemote: true }), links: [] };
};

/** One of version 00 has 55 characters; later ones may add to it (W3C Trace Context §3.2.2). */
const longestTraceparent = 128;

const kinds: Record<SpanKind, OtelSpanKind> = {
  server: OtelSpanKind.SERVER,
  client: OtelSpanKind.CLIENT,
  internal: OtelSpanKind.INTERNAL,
};

class RecordedSpan implements Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly #tracer: Tracer;
  readonly #span: OtelSpan;
  /** Shared by all spans of a request. */
  readonly #request: { isOver: boolean };
  readonly #isRoot: boolean;

  constructor(tracer: Tracer, span: OtelSpan, request: { isOver: boolean }, isRoot: boolean) {
    const { traceId, spanId } = span.spanContext();
    this.traceId = traceId;
    this.spanId = spanId;
    this.#tracer = tracer;
    this.#span = span;
    this.#request = request;
    this.#isRoot = isRoot;
  }

  get traceparent(): string {
    return `00-${this.traceId}-${this.spanId}-01`;
  }

  get isOver(): boolean {
    return this.#request.isOver;
  }

  child(name: string, { kind = 'internal', attributes = {} }: SpanOptions): Span {
    const parent = trace.setSpan(ROOT_CONTEXT, this.#span);
    const span = this.#tracer.startSpan(name, { kind: kinds[kind], attributes: attributes as Attributes }, parent);
    return new RecordedSpan(this.#tracer, span, this.#request, false);
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  end(error?: unknown): void {
    if (error !== undefined) markFailed(this.#span, error);
    if (this.#isRoot) this.#request.isOver = true;
    this.#span.end();
  }
}

/** What kind of failure it was. Its message may repeat what a caller has sent. A refusal is no failure of ours. */
const markFailed = (span: OtelSpan, error: unknown): void => {
  const { name, code, status } = error as { name?: unknown; code?: unknown; status?: unknown };
  const isRefusal = typeof status === 'number' && status < 500;
  span.setAttribute('error.type', String(typeof code === 'string' ? code : (name ?? 'Error')));
  if (!isRefusal) span.setStatus({ code: SpanStatusCode.ERROR });
};
