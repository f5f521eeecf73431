import { createHash } from 'node:crypto';
import type { AuditDay, auditChain } from './audit-chain.ts';

type Chain = ReturnType<typeof auditChain>;

/** What is wrong with a day, first of all. */
export type AuditProblem = {
  kind: /** An event, or its link, is not what was hashed; or links changed places. */
    | 'changed'
    /** A link has no event any more. */
    | 'event_missing'
    /** An event is in no chain. */
    | 'event_added'
    /** A link is missing, or there is one too many; or the row of the day is not what the chain says. */
    | 'chain_broken'
    /** The chain is in itself right, but not the one somebody noted the head of. */
    | 'head_unexpected';
  detail: string;
  position?: number;
  eventId?: string;
};

/** `forgotten`: its events are kept no longer, so that there is nothing to verify but its row. */
export type VerifiedDay = {
  day: string;
  events: number;
  forgotten: number;
  head: Buffer | undefined;
  status: 'ok' | 'broken' | 'forgotten';
  problem: AuditProblem | undefined;
};

const batch = 500;
const daysAtOnce = 100;

/**
 * Verifies the days from `from` to `to` (UTC, both included), each as it is when its turn comes, in memory that does not
 * depend on how many events there are. `expected` are heads somebody noted, by day: each has to be in the chain of its day.
 *
 * Nothing here trusts the database with more than the rows: hashes are made in this process.
 */
export const verifyAuditChain = async function* (
  chain: Chain,
  { from, to, expected }: { from: string; to: string; expected: ReadonlyMap<string, readonly Buffer[]> },
): AsyncGenerator<VerifiedDay> {
  const start = await chain.start();
  const missing = new Set(expected.keys());
  let next = from;
  for (let more = true; more; ) {
    const days = await chain.days(next, to, daysAtOnce);
    more = days.length === daysAtOnce;
    for (const row of days) {
      yield* withoutChain(chain, later(next, start), dayBefore(row.day));
      missing.delete(row.day);
      yield await verifyDay(chain, row, expected.get(row.day) ?? []);
      next = dayAfter(row.day);
    }
  }
  yield* withoutChain(chain, later(next, start), to);
  for (const day of [...missing].sort())
    yield broken(day, { kind: 'head_unexpected', detail: 'there is no chain of this day' });
};

/** Days that have events and no row: somebody removed it, or put events where there were none. */
const withoutChain = async function* (chain: Chain, from: string, to: string): AsyncGenerator<VerifiedDay> {
  for (let next = from; ; ) {
    const day = await chain.firstDayWithEvents(next, to);
    if (day === undefined) return;
    // Its first event may have been written a moment ago.
    if (!(await chain.day(day))) {
      const { stray } = await chain.beside(day, undefined, 1);
      yield broken(day, { kind: 'event_added', detail: 'the day has events and no chain', ...about(stray) });
    }
    next = dayAfter(day);
  }
};

const broken = (day: string, problem: AuditProblem): VerifiedDay => ({
  ...{ day, events: 0, forgotten: 0, head: undefined },
  ...{ status: 'broken', problem },
});

const verifyDay = async (chain: Chain, row: AuditDay, expected: readonly Buffer[]): Promise<VerifiedDay> => {
  const { day, events, forgotten, head } = row;
  const problem = await findProblem(chain, row, expected);
  // The day may have been forgotten while we were reading it.
  const now = problem && (await chain.day(day));
  if (now && now.forgotten !== forgotten) return verifyDay(chain, now, expected);
  const status = problem ? 'broken' : forgotten === events ? 'forgotten' : 'ok';
  return { day, events, forgotten, head, status, problem };
};

const findProblem = async (
  chain: Chain,
  row: AuditDay,
  expected: readonly Buffer[],
): Promise<AuditProblem | undefined> => {
  const noted = new Set(expected.map((hash) => hash.toString('hex')));
  return (
    (await startProblem(chain, row)) ??
    (await linkProblem(chain, row, (hash) => noted.delete(hash.toString('hex')))) ??
    (await strayProblem(chain, row.day)) ??
    (noted.size > 0 ? unexpected(row, [...noted]) : undefined)
  );
};

/** Whether the chain starts from the day before it, as that was then. */
const startProblem = async (
  chain: Chain,
  { day, previous, forgotten, base }: AuditDay,
): Promise<AuditProblem | undefined> => {
  if (forgotten > 0) return undefined;
  const wrong = (detail: string): AuditProblem => ({ kind: 'chain_broken', detail });
  const before = previous && (await chain.day(previous.day));
  if (previous && !before) return wrong(`the day it starts from, ${previous.day}, is gone`);
  // Forgotten but for its last hash: where the chain started from an earlier one, nobody can say.
  if (previous && before && previous.events < before.forgotten) return undefined;
  const hash =
    previous && before && previous.events === before.forgotten
      ? before.base
      : previous && (await chain.hashAt(previous.day, previous.events));
  if (previous && !hash) return wrong(`event ${previous.events} of ${previous.day}, from which it starts, is gone`);
  const said = [day, previous?.day ?? null, previous?.events ?? null, hash?.toString('hex') ?? null];
  const start = sha256(`[${said.map((member) => JSON.stringify(member)).join(', ')}]`);
  return start.equals(base) ? undefined : wrong(`it does not start from ${previous?.day ?? 'nothing'}`);
};

const linkProblem = async (
  chain: Chain,
  { day, forgotten, base, events, head }: AuditDay,
  onHash: (hash: Buffer) => void,
): Promise<AuditProblem | undefined> => {
  let position = forgotten;
  let hash = base;
  if (forgotten > 0) onHash(base);
  for (let more = true; more && position < events; ) {
    const links = await chain.links(day, position, Math.min(batch, events - position));
    more = links.length > 0;
    for (const link of links) {
      if (link.position > events) break;
      const at = { position: link.position, eventId: link.eventId };
      if (link.position !== position + 1) return gap(position + 1);
      if (link.text === undefined) return { kind: 'event_missing', detail: 'the event is gone', ...at };
      if (!sha256(hash, link.text).equals(link.hash))
        return { kind: 'changed', detail: 'the event, or its place in the chain, is not what it was', ...at };
      ({ position, hash } = link);
      onHash(hash);
    }
  }
  if (position < events) return gap(position + 1);
  if (!hash.equals(head)) return { kind: 'chain_broken', detail: 'its last hash is not its head', position };
  const beyond = await chain.beyondHead(day);
  return beyond === undefined
    ? undefined
    : { kind: 'chain_broken', detail: 'the chain goes on behind its head', position: beyond };
};

const gap = (position: number): AuditProblem => ({
  kind: 'chain_broken',
  detail: 'this link of the chain is missing',
  position,
});

const strayProblem = async (chain: Chain, day: string): Promise<AuditProblem | undefined> => {
  for (let after: string | undefined; ; ) {
    const { last, stray } = await chain.beside(day, after, batch);
    if (stray !== undefined) return { kind: 'event_added', detail: 'the event is in no chain', ...about(stray) };
    if (last === undefined) return undefined;
    after = last;
  }
};

const unexpected = ({ forgotten }: AuditDay, heads: readonly string[]): AuditProblem => ({
  kind: 'head_unexpected',
  detail: `${heads.join(' and ')} is not in the chain${forgotten > 0 ? ', as far as it is kept' : ': it was made anew'}`,
});

const about = (eventId: string | undefined) => (eventId === undefined ? {} : { eventId });

const sha256 = (...parts: (string | Buffer)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const shift = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);
const dayAfter = (day: string): string => shift(day, 1);
const dayBefore = (day: string): string => shift(day, -1);
const later = (a: string, b: string): string => (a > b ? a : b);
