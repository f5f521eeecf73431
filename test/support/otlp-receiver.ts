import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { anyValueOf, attributesOf, decodeOtlp, type OtlpSignal, otlpSignals } from './otlp-schema.ts';

type Attributes = Record<string, unknown>;

export type ReceivedSpan = {
  resource: Attributes;
  name: string;
  traceId: string;
  spanId: string;
  /** Empty for the first of a trace. */
  parentSpanId: string;
  kind: 'internal' | 'server' | 'client';
  failed: boolean;
  startMs: number;
  endMs: number;
  attributes: Attributes;
  links: { traceId: string; spanId: string }[];
  events: { name: string; attributes: Attributes }[];
};

export type ReceivedLog = {
  resource: Attributes;
  severity: string;
  severityNumber: number;
  body: unknown;
  attributes: Attributes;
  traceId: string;
  spanId: string;
};

export type ReceivedPoint = {
  resource: Attributes;
  name: string;
  type: 'gauge' | 'sum' | 'histogram';
  /** Of a sum or histogram: whether it counts from the start of the process. */
  cumulative: boolean;
  attributes: Attributes;
  value: number;
  histogram?: { count: number; sum: number; bounds: number[]; counts: number[] };
};

/** A collector of our own: takes OTLP over gRPC and over HTTP, and remembers what it was sent. */
export type OtlpReceiver = {
  /** For settings that take `host:port`. */
  grpc: string;
  http: string;
  spans(): ReceivedSpan[];
  logs(): ReceivedLog[];
  /** The points of the latest message of each instance. */
  metrics(): ReceivedPoint[];
  /** Everything that was received, as text: for looking whether something is in it. */
  text(): string;
  /** From now on requests are taken and not answered, or answered again. */
  hang(hanging: boolean): void;
  /** How many messages came. */
  messages(signal: OtlpSignal): number;
  /** Waits until something is there. */
  until<T>(look: () => T | undefined | false | Promise<T | undefined | false>, what?: string): Promise<T>;
  close(): Promise<void>;
};

const services: Record<OtlpSignal, string> = { traces: 'trace', logs: 'logs', metrics: 'metrics' };
const titles: Record<OtlpSignal, string> = { traces: 'Trace', logs: 'Logs', metrics: 'Metrics' };

export const startOtlpReceiver = async (): Promise<OtlpReceiver> => {
  // biome-ignore lint/suspicious/noExplicitAny: messages as otlp-schema.ts has them
  const received: Record<OtlpSignal, any[]> = { traces: [], logs: [], metrics: [] };
  let hanging = false;
  const take = (signal: OtlpSignal, bytes: Uint8Array): void => {
    received[signal].push(decodeOtlp(signal, bytes));
  };

  const grpc = new Server();
  for (const signal of otlpSignals) {
    const path = `/opentelemetry.proto.collector.${services[signal]}.v1.${titles[signal]}Service/Export`;
    const plain = (bytes: Buffer): Buffer => bytes;
    const method = {
      ...{ path, requestStream: false, responseStream: false, requestSerialize: plain, requestDeserialize: plain },
      ...{ responseSerialize: plain, responseDeserialize: plain },
    };
    grpc.addService(
      { Export: method },
      {
        Export(call: { request: Buffer }, answer: (error: null, body: Buffer) => void) {
          take(signal, call.request);
          if (!hanging) answer(null, Buffer.alloc(0));
        },
      },
    );
  }
  const grpcPort = await new Promise<number>((resolve, reject) =>
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );

  const http = createServer((request, response) => {
    const signal = otlpSignals.find((one) => request.url === `/v1/${one}`);
    void buffer(request).then((body) => {
      if (signal === undefined || request.method !== 'POST') return response.writeHead(404).end();
      take(signal, request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
      if (!hanging) response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));

  return {
    grpc: `127.0.0.1:${grpcPort}`,
    http: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    spans: () => received.traces.flatMap(toSpans),
    logs: () => received.logs.flatMap(toLogs),
    metrics() {
      const latest = new Map<unknown, ReceivedPoint[]>();
      for (const message of received.metrics)
        for (const points of toPoints(message)) latest.set(points[0]?.resource['service.instance.id'], points);
      return [...latest.values()].flat();
    },
    text: () => JSON.stringify(received),
    hang(on) {
      hanging = on;
    },
    messages: (signal) => received[signal].length,
    async until(look, what = 'nothing was received in time') {
      for (let waited = 0; waited < 15_000; waited += 50) {
        const found = await look();
        if (found !== undefined && found !== false) return found;
        await pause(50);
      }
      throw new Error(`${what}: ${otlpSignals.map((signal) => `${received[signal].length} of ${signal}`).join(', ')}`);
    },
    async close() {
      grpc.forceShutdown();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
};

// biome-ignore-start lint/suspicious/noExplicitAny: messages as otlp-schema.ts has them
const milliseconds = (nanoseconds: string): number => Number(BigInt(nanoseconds ?? '0') / 1000n) / 1000;

const toSpans = (message: any): ReceivedSpan[] =>
  message.resources.flatMap(({ resource, scopes }: any) =>
    scopes.flatMap(({ spans }: any) =>
      spans.map(
        (span: any): ReceivedSpan => ({
          resource: attributesOf(resource?.attributes),
          name: span.name,
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId ?? '',
          kind: (['internal', 'internal', 'server', 'client'] as const)[span.kind as 0 | 1 | 2 | 3] ?? 'internal',
          failed: span.status?.code === 2,
          startMs: milliseconds(span.startTimeUnixNano),
          endMs: milliseconds(span.endTimeUnixNano),
          attributes: attributesOf(span.attributes),
          links: span.links,
          events: span.events.map(({ name, attributes }: any) => ({ name, attributes: attributesOf(attributes) })),
        }),
      ),
    ),
  );

const toLogs = (message: any): ReceivedLog[] =>
  message.resources.flatMap(({ resource, scopes }: any) =>
    scopes.flatMap(({ records }: any) =>
      records.map(
        (record: any): ReceivedLog => ({
          resource: attributesOf(resource?.attributes),
          severity: record.severityText ?? '',
          severityNumber: record.severityNumber ?? 0,
          body: anyValueOf(record.body),
          attributes: attributesOf(record.attributes),
          traceId: record.traceId ?? '',
          spanId: record.spanId ?? '',
        }),
      ),
    ),
  );

/** The points of each resource of a message. */
const toPoints = (message: any): ReceivedPoint[][] =>
  message.resources.map(({ resource, scopes }: any) =>
    scopes.flatMap(({ metrics }: any) =>
      metrics.flatMap((metric: any) => pointsOf(attributesOf(resource?.attributes), metric)),
    ),
  );

const pointsOf = (resource: Attributes, { name, gauge, sum, histogram }: any): ReceivedPoint[] => {
  const type = gauge ? 'gauge' : sum ? 'sum' : 'histogram';
  const cumulative = (sum ?? histogram)?.temporality === 2;
  return ((gauge ?? sum ?? histogram)?.points ?? []).map((point: any) => ({
    ...{ resource, name, type, cumulative, attributes: attributesOf(point.attributes) },
    value: Number(point.asDouble ?? point.asInt ?? point.count ?? 0),
    ...(histogram && {
      histogram: {
        count: Number(point.count ?? 0),
        sum: point.sum ?? 0,
        bounds: point.explicitBounds,
        counts: point.bucketCounts.map(Number),
      },
    }),
  }));
};
// biome-ignore-end lint/suspicious/noExplicitAny: messages as otlp-schema.ts has them
