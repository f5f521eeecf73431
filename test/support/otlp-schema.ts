import protobuf from 'protobufjs';

/** What we read of the OTLP messages (opentelemetry-proto 1.x): names are ours, numbers and types are theirs. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
  message Resource { repeated KeyValue attributes = 1; }

  message Traces { repeated ResourceSpans resources = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopes = 2; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
  message Span { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
    int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    repeated Event events = 11; repeated Link links = 13; Status status = 15; }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; }
  message Status { string message = 2; int32 code = 3; }

  message Logs { repeated ResourceLogs resources = 1; }
  message ResourceLogs { Resource resource = 1; repeated ScopeLogs scopes = 2; }
  message ScopeLogs { Scope scope = 1; repeated LogRecord records = 2; }
  message LogRecord { fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5;
    repeated KeyValue attributes = 6; bytes trace_id = 9; bytes span_id = 10; string event_name = 12; }

  message Metrics { repeated ResourceMetrics resources = 1; }
  message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scopes = 2; }
  message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
  message Metric { string name = 1; string description = 2; string unit = 3; Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; }
  message Gauge { repeated NumberPoint points = 1; }
  message Sum { repeated NumberPoint points = 1; int32 temporality = 2; bool is_monotonic = 3; }
  message Histogram { repeated HistogramPoint points = 1; int32 temporality = 2; }
  message NumberPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; double as_double = 4; sfixed64 as_int = 6;
    repeated KeyValue attributes = 7; }
  message HistogramPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5;
    repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; repeated KeyValue attributes = 9; }
`);

export const otlpSignals = ['traces', 'logs', 'metrics'] as const;
export type OtlpSignal = (typeof otlpSignals)[number];

const types: Record<OtlpSignal, protobuf.Type> = {
  traces: root.lookupType('Traces'),
  logs: root.lookupType('Logs'),
  metrics: root.lookupType('Metrics'),
};

/** A message as plain data: ids in hexadecimal, long numbers as text. */
// biome-ignore lint/suspicious/noExplicitAny: read by whoever knows the messages above
export const decodeOtlp = (signal: OtlpSignal, bytes: Uint8Array): any =>
  hexIds(types[signal].toObject(types[signal].decode(bytes), { longs: String, arrays: true }));

const hexIds = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(hexIds);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, hexIds(member)]));
};

type KeyValue = { key: string; value?: Record<string, unknown> };

/** Attributes as an object; what is itself a list of them as well. */
export const attributesOf = (attributes: readonly KeyValue[] = []): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value = {} }) => [key, anyValueOf(value)]));

export const anyValueOf = (value: Record<string, unknown> = {}): unknown => {
  const { kvlistValue, arrayValue } = value as {
    kvlistValue?: { values: KeyValue[] };
    arrayValue?: { values: Record<string, unknown>[] };
  };
  if (kvlistValue) return attributesOf(kvlistValue.values);
  if (arrayValue) return arrayValue.values.map(anyValueOf);
  if (value.intValue !== undefined) return Number(value.intValue);
  return Object.values(value)[0];
};
