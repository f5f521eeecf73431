import type { LoadReport } from './load.ts';

type Bound = { atMost: (report: LoadReport, seconds: number) => number; because: string };

const accepted =
  (...paths: string[]) =>
  ({ accepted }: LoadReport): number =>
    Object.entries(accepted).reduce(
      (sum, [endpoint, times]) => sum + (paths.some((path) => endpoint.endsWith(` ${path}`)) ? times : 0),
      0,
    );

/** Anything may be refused in many ways, and a few requests of the fuzzer are good ones. All other tables stay as they are. */
const bounds: Readonly<Record<string, Bound>> = {
  clients: { atMost: accepted('/oauth/register'), because: 'a registration that was accepted' },
  client_secrets: { atMost: accepted('/oauth/register'), because: 'the same' },
  pushed_requests: {
    atMost: accepted('/oauth/par'),
    because: 'a pushed request that was accepted; deleted when it is over',
  },
  device_codes: {
    atMost: accepted('/oauth/device_authorization'),
    because: 'a device that may ask; deleted when it is over',
  },
  issuances: { atMost: accepted('/oauth/token'), because: 'a token that was given out' },
  refresh_tokens: { atMost: accepted('/oauth/token'), because: 'the same' },
  authorization_codes: { atMost: accepted('/oauth/authorize', '/consent'), because: 'a consent that was given' },
  single_use: { atMost: accepted('/consent'), because: 'a consent page is answered once' },
  consent_grants: { atMost: accepted('/consent'), because: 'the same' },
  client_tombstones: { atMost: accepted('/oauth/register'), because: 'a registration that was deleted again' },
  changes: { atMost: ({ requests }) => requests, because: 'what ended; one for each' },
  revocation_markers: { atMost: accepted('/oauth/revoke', '/oauth/token'), because: 'a revocation of a living token' },
  audit_events: {
    atMost: ({ requests }) => requests,
    because:
      'refusals that name a known client or person are recorded; rate limits bound them, and retention ends them',
  },
  audit_chain: { atMost: ({ requests }) => requests, because: 'the hash of each of them' },
  audit_days: { atMost: () => 2, because: 'a day has begun' },
  leases: { atMost: () => 1, because: 'one pod does the housekeeping' },
  login_attempts: {
    atMost: ({ requests }) => requests,
    because: 'failed sign-ins are counted by account and address, up to rate_limit.max_tracked_identities',
  },
  connection_events: {
    atMost: (_report, seconds) => 700 + 6 * seconds,
    because: 'the flight recorder keeps 600 events and 5 a second at most, for a day',
  },
};

/** The tables that grew more than they may. */
export const outgrown = (
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  report: LoadReport,
  seconds: number,
): string[] =>
  [...after].flatMap(([table, rows]) => {
    const grown = rows - (before.get(table) ?? 0);
    const bound = bounds[table];
    const most = bound?.atMost(report, seconds) ?? 0;
    return grown > most ? [`${table}: ${grown} rows more, at most ${most} (${bound?.because ?? 'nothing'})`] : [];
  });

/** The series of a Prometheus page by their name and labels. */
export const seriesOf = (page: string): Set<string> =>
  new Set(
    page
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.slice(0, line.lastIndexOf(' '))),
  );

/** Label values nobody decided on. With none of them the number of series is bounded, whatever is sent. */
export const strangeLabels = (
  series: ReadonlySet<string>,
  known: (label: string, value: string) => boolean,
): string[] => [
  ...new Set(
    [...series].flatMap((line) =>
      [...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
        .filter(([, label = '', value = '']) => !known(label, value))
        .map(([pair]) => `${line.split('{')[0]}: ${pair}`),
    ),
  ),
];
