import { choice, decimal, flag, optionalText, section, text } from '../leaf.ts';

const path = (value: string) => (/^\/[^\s?#]*$/.test(value) ? undefined : 'expected a path that starts with /');

/** Nothing but a place: a user name or a key in it would be sent, and shown, where nobody expects it. */
const otlpEndpoint = (value: string): string | undefined => {
  const withScheme = /^[a-z]+:\/\//i.test(value) ? value : `grpc://${value}`;
  const url = URL.parse(withScheme);
  const isPlace = url !== null && url.hostname !== '' && url.username === '' && url.search === '' && url.hash === '';
  if (isPlace && /^https?:$/.test(url.protocol)) return undefined;
  if (isPlace && url.protocol === 'grpc:' && url.port !== '' && /^\/?$/.test(url.pathname)) return undefined;
  return 'expected host:port, grpc://host:port or an http:// or https:// URL';
};

export const observability = section({
  logging: section({
    level: choice(['debug', 'info', 'warn', 'error'], 'info')
      .describe('Least level that is logged.')
      .meta({ env: 'LOG_LEVEL' }),
    format: choice(['json', 'text'], 'json')
      .describe('One JSON object a line, or text for people.')
      .meta({ env: 'LOG_FORMAT' }),
    add_source: flag(false)
      .describe('Add file and line to records, but for the access log, which has one source.')
      .meta({ env: 'LOG_ADD_SOURCE' }),
    outputs: section({
      stdout: flag(true)
        .describe('Write the log to standard output. Without `otel` it is written in any case.')
        .meta({ env: 'LOG_STDOUT' }),
      otel: flag(false).describe('Also send the log over OTLP.').meta({ env: 'LOG_OTEL' }),
      otel_endpoint: optionalText(otlpEndpoint)
        .describe(
          'Collector, required with `otel`: `host:port` or `grpc://host:port` for gRPC, `http://` or `https://` for HTTP.',
        )
        .meta({ env: 'LOG_OTEL_ENDPOINT' }),
      insecure: flag(false).describe('Send without TLS.').meta({ env: 'LOG_OTEL_INSECURE' }),
    }),
  }),
  metrics: section({
    provider: choice(['prometheus', 'otel', 'both', 'none'], 'prometheus')
      .describe(
        'How metrics leave: scraped by Prometheus, pushed over OTLP every 10 s, both with the same values, or not.',
      )
      .meta({ env: 'METRICS_PROVIDER' }),
    path: text('/metrics', path)
      .describe('Path Prometheus scrapes, on the admin or internal port.')
      .meta({ env: 'METRICS_PATH' }),
    otel_endpoint: optionalText(otlpEndpoint)
      .describe(
        'Collector, required with `otel` and `both`: `host:port` or `grpc://host:port` for gRPC, `http://` or `https://` for HTTP.',
      )
      .meta({ env: 'METRICS_OTEL_ENDPOINT' }),
    insecure: flag(false).describe('Send without TLS.').meta({ env: 'METRICS_INSECURE' }),
  }),
  tracing: section({
    enabled: flag(false).describe('Send traces over OTLP.').meta({ env: 'TRACING_ENABLED' }),
    endpoint: optionalText(otlpEndpoint)
      .describe(
        'Collector, required with `enabled`: `host:port` or `grpc://host:port` for gRPC, `http://` or `https://` for HTTP.',
      )
      .meta({ env: 'TRACING_ENDPOINT' }),
    insecure: flag(false).describe('Send without TLS.').meta({ env: 'TRACING_INSECURE' }),
    sample_rate: decimal(1, { max: 1 })
      .describe('Share of requests that are recorded, 0 to 1, unless a trusted proxy has decided already.')
      .meta({ env: 'TRACING_SAMPLE_RATE' }),
  }),
});
