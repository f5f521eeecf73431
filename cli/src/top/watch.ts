/**
 * Looks at all processes again and again, and remembers what a single look cannot show: how fast counters grow, and since
 * when a process is there or away. `frame.ts` says what it means.
 */
import { catalogue } from '@authserver/telemetry';
import { type Reading, readExposition, type Sample } from './exposition.ts';
import { type Growth, grow, growthSince } from './growth.ts';
import { type Pod, podsAt } from './pods.ts';
import { scrape, why } from './scrape.ts';

/** A process as it was at the last look. */
export type PodState = {
  name: string;
  /** When it was first seen to be as it is. */
  since: Date;
  /** What it answered; undefined when it is down. */
  reading: Reading | undefined;
  /** Why it is down. */
  reason: string | undefined;
  /** What it counted within the window. */
  grown: readonly Sample[];
};

/** What one look found. */
export type Sight = {
  at: Date;
  pods: readonly PodState[];
  /** Over which `grown` grew, in seconds; undefined at the first look, when there is nothing to compare with. */
  windowSeconds: number | undefined;
  /** Of all processes, within the window and since the first look. */
  grown: readonly Sample[];
  grownAltogether: readonly Sample[];
};

type Watched = { pod: Pod; reading?: Reading; reason?: string; since: Date; last?: Reading; growth: Growth };

/** A process that no name leads to any more is hidden when it has been away for so long. What it counted stays. */
const hideMs = 60_000;

const { httpRequests, httpDuration, tokensIssued, authDenied, refreshReuse, codeReuse, rateLimited } = catalogue;
const { eventLoopActive, eventLoopIdle } = catalogue;
const { buildInfo, changeFeedVersion, changeChannelUp, activeClients, activeFamilies, purgeLag } = catalogue;
const counters: ReadonlySet<string> = new Set([
  ...[httpRequests, tokensIssued, authDenied, refreshReuse, codeReuse, rateLimited].map(({ name }) => name),
  ...[eventLoopActive, eventLoopIdle].map(({ name }) => name),
  `${httpDuration.name}_bucket`,
]);
const wanted: ReadonlySet<string> = new Set([
  ...counters,
  ...[buildInfo, changeFeedVersion, changeChannelUp, activeClients, activeFamilies, purgeLag].map(({ name }) => name),
  'process_start_time_seconds',
  'process_resident_memory_bytes',
]);

/** Everything that is known about the processes at `urls`; rates are of the last `windowSeconds`, or between two looks. */
export const createWatch = (urls: readonly URL[], windowSeconds: number): { look(): Promise<Sight> } => {
  const watched = new Map<string, Watched>();
  let past: { at: number; growth: ReadonlyMap<string, Growth> }[] = [];

  const find = async (): Promise<ReadonlySet<string>> => {
    const found = new Set<string>();
    const all = await Promise.all(
      urls.map((url) => podsAt(url).catch((error: Error): Pod[] => [{ name: url.host, url, problem: why(error) }])),
    );
    for (const pod of all.flat()) {
      const key = `${pod.name} ${pod.url.href}`;
      found.add(key);
      const known = watched.get(key);
      if (known) known.pod = pod;
      else watched.set(key, { pod, since: new Date(), growth: new Map() });
    }
    return found;
  };

  const ask = async (one: Watched): Promise<void> => {
    const isUp = one.reading !== undefined;
    try {
      if (one.pod.problem !== undefined) throw new Error(one.pod.problem);
      const reading = readExposition(await scrape(one.pod), wanted);
      if (startOf(reading) === undefined) throw new Error('that is not an authserver');
      if (one.last) {
        const isAnother = startOf(one.last) !== startOf(reading);
        one.growth = grow(one.growth, countersOf(one.last), countersOf(reading), isAnother);
      }
      if (!isUp) one.since = new Date();
      Object.assign(one, { reading, last: reading, reason: undefined });
    } catch (error) {
      if (one.reason === undefined) one.since = new Date();
      Object.assign(one, { reading: undefined, reason: (error as Error).message });
    }
  };

  return {
    async look() {
      const found = await find();
      await Promise.all([...watched.values()].map(ask));
      const at = new Date();
      const begin = past[0];
      const sights = [...watched].map(([key, { pod, since, reading, reason, growth }]) => ({
        ...{ name: pod.name, since, reading, reason },
        grown: begin ? growthSince(growth, begin.growth.get(key)) : [],
        altogether: growthSince(growth),
        isHidden: !found.has(key) && reason !== undefined && at.getTime() - since.getTime() > hideMs,
      }));
      past.push({ at: at.getTime(), growth: new Map([...watched].map(([key, { growth }]) => [key, growth])) });
      const recent = past.filter((each) => at.getTime() - each.at < windowSeconds * 1000);
      past = recent.length > 0 ? recent : past.slice(-1);
      return {
        at,
        pods: sights.filter(({ isHidden }) => !isHidden),
        windowSeconds: begin && (at.getTime() - begin.at) / 1000,
        grown: sights.flatMap(({ grown }) => grown),
        grownAltogether: sights.flatMap(({ altogether }) => altogether),
      };
    },
  };
};

const startOf = (reading: Reading): number | undefined => reading.get('process_start_time_seconds')?.value;

const countersOf = (reading: Reading): Reading => new Map([...reading].filter(([, { name }]) => counters.has(name)));
