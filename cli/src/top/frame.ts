/** What an operator is shown of one look, and what `--json` prints. Rates are per second, times in seconds. */
import { catalogue } from '@authserver/telemetry';
import type { Reading, Sample } from './exposition.ts';
import { quantile } from './latency.ts';
import type { PodState, Sight } from './watch.ts';

/** Of some requests; undefined while nobody knows, or when there were none to say it of. */
export type Flow = {
  per_second: number | undefined;
  p50_seconds: number | undefined;
  p99_seconds: number | undefined;
  /** Refused, and failed. */
  client_errors_per_second: number | undefined;
  server_errors_per_second: number | undefined;
};

export type PodLine =
  | { pod: string; status: 'down'; since: string; reason: string }
  | {
      pod: string;
      status: 'up';
      version: string | undefined;
      uptime_seconds: number | undefined;
      requests_per_second: number | undefined;
      p99_seconds: number | undefined;
      /** The share of its time that the event loop is at work; of the workers together where there are several. */
      event_loop_busy: number | undefined;
      memory_bytes: number | undefined;
      /** Versions of the change feed that it is behind the newest any process has applied. */
      changes_behind: number | undefined;
      channels_up: string[];
      channels_down: string[];
    };

/** How often something happened: in the window, and since the view began. */
export type Count = { name: string; per_second: number | undefined; seen: number };

export type Frame = {
  at: string;
  /** Over which rates and latencies are. */
  window_seconds: number | undefined;
  pods: PodLine[];
  requests: Flow & { rate_limited_per_second: number | undefined };
  endpoints: ({ path: string } & Flow)[];
  tokens: Count[];
  denials: Count[];
  /** Times a token or code was presented again, since the view began. */
  reuse: { refresh_tokens: number; codes: number };
  /** As the database has it. */
  active: { clients: number | undefined; token_families: number | undefined };
  purge: { lag_seconds: number; target: string } | undefined;
};

export const frameOf = (sight: Sight): Frame => {
  const { at, grown, grownAltogether, windowSeconds } = sight;
  const readings = sight.pods.flatMap(({ reading }) => (reading ? [reading] : []));
  const newest = maximum(readings.flatMap((reading) => values(reading, catalogue.changeFeedVersion.name)));
  const count = (name: string) => sum(grownAltogether.filter((sample) => sample.name === name));
  const gauge = (name: string) => maximum(readings.flatMap((reading) => values(reading, name)));
  return {
    at: at.toISOString(),
    window_seconds: windowSeconds,
    pods: sight.pods.map((pod) => podLine(pod, sight, newest)),
    requests: {
      ...flow(grown, windowSeconds),
      rate_limited_per_second: rate(named(grown, catalogue.rateLimited.name), windowSeconds),
    },
    endpoints: endpoints(sight),
    tokens: counts(sight, catalogue.tokensIssued.name, 'grant_type'),
    denials: counts(sight, catalogue.authDenied.name, 'reason'),
    reuse: { refresh_tokens: count(catalogue.refreshReuse.name), codes: count(catalogue.codeReuse.name) },
    active: { clients: gauge(catalogue.activeClients.name), token_families: gauge(catalogue.activeFamilies.name) },
    purge: purgeLag(readings),
  };
};

const podLine = (pod: PodState, { at, windowSeconds }: Sight, newest: number | undefined): PodLine => {
  const { name, since, reading, reason = '', grown } = pod;
  if (!reading) return { pod: name, status: 'down', since: since.toISOString(), reason };
  const first = (metric: string) => values(reading, metric)[0];
  const started = first('process_start_time_seconds');
  const [active = 0, idle = 0] = [catalogue.eventLoopActive, catalogue.eventLoopIdle].map((time) =>
    sum(named(grown, time.name)),
  );
  const { per_second, p99_seconds } = flow(grown, windowSeconds);
  // A process of both planes follows the changes twice, and is as far as the slower of them.
  const version = minimum(values(reading, catalogue.changeFeedVersion.name));
  const channels = named([...reading.values()], catalogue.changeChannelUp.name);
  const isDown = (channel: string) => channels.some(({ labels, value }) => labels.channel === channel && value === 0);
  const all = [...new Set(channels.map(({ labels }) => labels.channel ?? ''))];
  return {
    pod: name,
    status: 'up',
    version: named([...reading.values()], catalogue.buildInfo.name)[0]?.labels.version,
    uptime_seconds: started === undefined ? undefined : Math.max(0, at.getTime() / 1000 - started),
    requests_per_second: per_second,
    p99_seconds,
    event_loop_busy: active + idle === 0 ? undefined : active / (active + idle),
    memory_bytes: first('process_resident_memory_bytes'),
    changes_behind: version === undefined || newest === undefined ? undefined : newest - version,
    channels_up: all.filter((channel) => !isDown(channel)),
    channels_down: all.filter(isDown),
  };
};

/** The busiest first. */
const endpoints = ({ grown, windowSeconds }: Sight): Frame['endpoints'] =>
  [...Map.groupBy(grown, ({ labels }) => labels.path)]
    .flatMap(([path, samples]) => (path === undefined ? [] : [{ path, ...flow(samples, windowSeconds) }]))
    .filter(({ per_second }) => (per_second ?? 0) > 0)
    .sort((one, other) => (other.per_second ?? 0) - (one.per_second ?? 0) || one.path.localeCompare(other.path));

const flow = (samples: readonly Sample[], seconds: number | undefined): Flow => {
  const requests = named(samples, catalogue.httpRequests.name);
  const buckets = named(samples, `${catalogue.httpDuration.name}_bucket`);
  const ofClass = (digit: string) => requests.filter(({ labels }) => labels.status?.startsWith(digit));
  return {
    per_second: rate(requests, seconds),
    p50_seconds: quantile(0.5, buckets),
    p99_seconds: quantile(0.99, buckets),
    client_errors_per_second: rate(ofClass('4'), seconds),
    server_errors_per_second: rate(ofClass('5'), seconds),
  };
};

/** What happened most, lately and then altogether, first; what never did is left out. */
const counts = ({ grown, grownAltogether, windowSeconds }: Sight, metric: string, label: string): Count[] => {
  const lately = named(grown, metric);
  return [...Map.groupBy(named(grownAltogether, metric), ({ labels }) => labels[label] ?? '')]
    .map(([name, samples]) => ({
      name,
      per_second: rate(
        lately.filter(({ labels }) => labels[label] === name),
        windowSeconds,
      ),
      seen: sum(samples),
    }))
    .filter(({ seen }) => seen > 0)
    .sort((one, other) => (other.per_second ?? 0) - (one.per_second ?? 0) || other.seen - one.seen);
};

const purgeLag = (readings: readonly Reading[]): Frame['purge'] =>
  readings
    .flatMap((reading) => named([...reading.values()], catalogue.purgeLag.name))
    .map(({ labels, value }) => ({ lag_seconds: value, target: labels.target ?? '' }))
    .sort((one, other) => other.lag_seconds - one.lag_seconds)[0];

const named = (samples: readonly Sample[], name: string): Sample[] => samples.filter((sample) => sample.name === name);
const values = (reading: Reading, name: string): number[] =>
  named([...reading.values()], name).map(({ value }) => value);
const sum = (samples: readonly Sample[]): number => samples.reduce((total, { value }) => total + value, 0);
const rate = (samples: readonly Sample[], seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : sum(samples) / seconds;
const maximum = (numbers: readonly number[]): number | undefined =>
  numbers.length === 0 ? undefined : Math.max(...numbers);
const minimum = (numbers: readonly number[]): number | undefined =>
  numbers.length === 0 ? undefined : Math.min(...numbers);
