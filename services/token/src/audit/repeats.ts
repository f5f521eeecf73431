import type { AuditEvent } from '@authserver/store';
import type { AuditAction } from '@authserver/telemetry';
import type { Chore } from '../housekeeping.ts';

/** How an event that anybody can cause is told from others of its kind. Kept in memory, written nowhere. */
export type Repeated = {
  /** What is counted together, such as a client address. */
  group: string;
  /** What is worth a row of its own when it first happens in a group, such as an account that is tried. */
  member: string;
};

/**
 * Audit events that a stranger can cause at will. The first of each member is written at once; the rest of five minutes is
 * counted and becomes one event a group, with `count`. So a flood makes a bounded number of rows: of one group at most six
 * in five minutes, of all groups on this pod at most some fifty thousand a day; and what is only counted costs no write.
 *
 * Each pod counts for itself. One that is stopped writes its counts. One that crashes loses those of the last five minutes,
 * and never the first event of its kind.
 */
export type AuditRepeats = {
  /** @throws {StoreUnavailable} when it is the first of its kind and cannot be written */
  record(event: AuditEvent, repeated: Repeated): Promise<void>;
  /** Writes what was counted in a window that is over. */
  write: Chore;
  /** Writes what was counted up to now. */
  close(): Promise<void>;
};

export type AuditRepeatsOptions = {
  insert: (events: readonly AuditEvent[]) => Promise<void>;
  /** So many events were counted, and the count could not be written. */
  onLost: (action: AuditAction, events: number) => void;
  clock: { now(): Date };
};

const windowMs = 5 * 60_000;
/** Rows of their own in a window, for one group and for all groups of this pod. */
const ownRowsOfGroup = 5;
const ownRowsOfPod = 60;
/** Groups that are counted apart, and those of them that get a row apart, the largest; the others share one. */
const mostGroups = 2_000;
const mostRows = 100;
/** Beyond this many, members of a group are not told apart. */
const mostMembers = 50;
/** Counts that wait for a database that is away: some five windows. */
const mostWaiting = 1_000;

type Counted = {
  count: number;
  /** What all events that were counted have in common, with the time of the last. */
  common: AuditEvent;
  since: Date;
};
type Group = { members: Set<string>; ownRows: number; counted: Counted | undefined };

export const createAuditRepeats = ({ insert, onLost, clock }: AuditRepeatsOptions): AuditRepeats => {
  let groups = new Map<string, Group>();
  let startedAt = clock.now();
  let ownRows = 0;
  let waiting: AuditEvent[] = [];

  const groupOf = (name: string, overflow: string): Group => {
    const key = groups.has(name) || groups.size < mostGroups ? name : overflow;
    const group = groups.get(key) ?? { members: new Set(), ownRows: 0, counted: undefined };
    groups.set(key, group);
    return group;
  };

  const flush = async (): Promise<void> => {
    const events = [...waiting, ...toEvents([...groups.values()], clock.now())];
    groups = new Map();
    startedAt = clock.now();
    ownRows = 0;
    waiting = [];
    if (events.length === 0) return;
    await insert(events).catch((error: unknown) => {
      waiting = events.slice(-mostWaiting);
      for (const event of events.slice(0, -mostWaiting)) onLost(event.action, Number(event.details?.count));
      throw error;
    });
  };

  return {
    async record(event, { group: name, member }) {
      const group = groupOf(`${event.action} ${name}`, event.action);
      const isNew = !group.members.has(member);
      if (group.members.size < mostMembers) group.members.add(member);
      if (!isNew || group.ownRows >= ownRowsOfGroup || ownRows >= ownRowsOfPod) {
        group.counted = add(group.counted, { count: 1, common: event, since: event.at });
        return;
      }
      group.ownRows += 1;
      ownRows += 1;
      await insert([event]).catch((error: unknown) => {
        group.members.delete(member); // the next one is the first
        throw error;
      });
    },
    write: {
      name: 'repeated audit events',
      ofThisPod: true,
      async run(now) {
        if (now.getTime() - startedAt.getTime() >= windowMs) await flush();
        return 0;
      },
    },
    async close() {
      await flush().catch(() => {
        for (const event of waiting) onLost(event.action, Number(event.details?.count));
      });
    },
  };
};

/** The largest groups an event each, and of every action one for all the others. */
const toEvents = (groups: readonly Group[], at: Date): AuditEvent[] => {
  const counted = groups
    .flatMap(({ counted, members }) => (counted ? [{ ...counted, distinct: members.size }] : []))
    .sort((a, b) => b.count - a.count);
  const others = new Map<AuditAction, Counted>();
  for (const group of counted.slice(mostRows))
    others.set(group.common.action, add(others.get(group.common.action), group));
  return [...counted.slice(0, mostRows), ...others.values()].map(({ count, common, since, ...known }) => ({
    ...common,
    at,
    details: { ...common.details, count, ...known, since: since.toISOString(), until: common.at.toISOString() },
  }));
};

const add = (a: Counted | undefined, b: Counted): Counted =>
  a === undefined
    ? b
    : {
        count: a.count + b.count,
        common: inCommon(a.common, b.common),
        since: new Date(Math.min(a.since.getTime(), b.since.getTime())),
      };

const inCommon = (a: AuditEvent, b: AuditEvent): AuditEvent => ({
  action: a.action,
  at: new Date(Math.max(a.at.getTime(), b.at.getTime())),
  actorId: same(a.actorId, b.actorId),
  clientId: same(a.clientId, b.clientId),
  ip: same(a.ip, b.ip),
  userAgent: same(a.userAgent, b.userAgent),
  details: Object.fromEntries(Object.entries(a.details ?? {}).filter(([name, value]) => b.details?.[name] === value)),
});

const same = <T>(a: T, b: T): T | undefined => (a === b ? a : undefined);
