/**
 * Spans as the rest of the code sees them: work is given a name, and when the request it belongs to is being recorded, it
 * becomes a span of that request. Without tracing, and for all requests that are not recorded, this is one look into an
 * empty place. `tracing.ts` makes the spans and sends them; nothing in here needs OpenTelemetry.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * What a span may say of itself: words of ours, and ids of rows. Never a secret, a code, a token, a query string, the text
 * of an error, or anything else that a caller has written.
 */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;
export type SpanKind = 'server' | 'client' | 'internal';
export type SpanOptions = { kind?: SpanKind; attributes?: SpanAttributes };

/** A span that is being recorded. */
export type Span = {
  readonly traceId: string;
  readonly spanId: string;
  /** Names this span as the parent of another server's (W3C Trace Context §3.2). */
  readonly traceparent: string;
  /** Whether the request it belongs to has been answered: what goes on afterwards is no part of it. */
  readonly isOver: boolean;
  child(name: string, options: SpanOptions): Span;
  set(attributes: SpanAttributes): void;
  /** With what was thrown, if it failed. */
  end(error?: unknown): void;
};

/** Decides which requests are recorded, and sends what was. */
export type Tracing = {
  /** The span of a request from outside, or undefined for one that is not recorded. */
  begin(name: string, request: TracedRequest): Span | undefined;
  /** A span of its own for something that is over, such as a read of the change feed. */
  note(name: string, seconds: number, options: SpanOptions & { error?: unknown }): void;
  /** Sends what is left, for as long as it may take. */
  stop(withinMs: number): Promise<void>;
};

export type TracedRequest = {
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether it comes from somebody whose word on recording counts. Only asked when there is such a word. */
  isTrusted: () => boolean;
  attributes: SpanAttributes;
};

const spans = new AsyncLocalStorage<Span>();

/** The span of the work that runs now, if it is recorded. */
export const currentSpan = (): Span | undefined => {
  const span = spans.getStore();
  return span === undefined || span.isOver ? undefined : span;
};

/** Goes on in a span, where an event or a callback has lost it. */
export const continueSpan = <T>(span: Span, work: () => T): T => spans.run(span, work);

/** Does work as a span of the request it belongs to, when that is recorded. The error of a failure goes through. */
export const inSpan = <T>(name: string, work: () => T, options: SpanOptions = {}): T => {
  const parent = currentSpan();
  if (parent === undefined) return work();
  const span = parent.child(name, options);
  const fail = (error: unknown): never => {
    span.end(error);
    throw error;
  };
  let result: T;
  try {
    result = spans.run(span, work);
  } catch (error) {
    return fail(error);
  }
  if (!(result instanceof Promise)) {
    span.end();
    return result;
  }
  return result.then((value: unknown) => {
    span.end();
    return value;
  }, fail) as T;
};

/** Work that serves many requests, or none, is no part of the one that happened to start it. */
export const outsideSpans =
  <Args extends unknown[], T>(work: (...args: Args) => T): ((...args: Args) => T) =>
  (...args) =>
    spans.getStore() === undefined ? work(...args) : spans.exit(work, ...args);

/** What the lines of the log say of the span they were written in. */
export const spanFields = (): { trace_id?: string; span_id?: string } => {
  const span = currentSpan();
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
};
