import { ChangeMessage, changeKinds } from './catalogue.ts';

/** What became of a message, in the end. */
export const hintOutcomes = [
  /** It announced a change that was not applied here yet, and the database had it. */
  'true',
  /** Its version was applied already: the other channel was faster, or somebody repeats it. */
  'known',
  /** The database has no such version: it is forged. */
  'false',
  /** So many waited for the next read already that this one made no difference. */
  'excess',
  /** The database could not be asked. */
  'unread',
  'oversized',
  'malformed',
  'unknown_kind',
  'wrong_subject',
] as const;
export type HintOutcome = (typeof hintOutcomes)[number];

/** Several times of what the longest of ours can have. */
export const maxMessageBytes = 8 * 1024;

const kinds: ReadonlySet<string> = new Set(changeKinds);

/** Reads a message; `subjectKind` is what its NATS subject says it is about. Costs little, whatever it is. */
export const readHint = (payload: string | Uint8Array, subjectKind?: string): { version: number } | HintOutcome => {
  if (payload.length > maxMessageBytes) return 'oversized';
  const message = parse(typeof payload === 'string' ? payload : Buffer.from(payload).toString('utf8'));
  if (message === undefined) return 'malformed';
  if (subjectKind !== undefined && message.kind !== subjectKind) return 'wrong_subject';
  return kinds.has(message.kind) ? { version: message.version } : 'unknown_kind';
};

const parse = (text: string): ChangeMessage | undefined => {
  try {
    return ChangeMessage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

const mostWaiting = 1_000;
const firstPauseMs = 5;
const longestPauseMs = 500;

/**
 * The hints of one channel that wait for a read, and how far the channel is believed.
 *
 * A true hint comes after its commit, so a read that starts later finds the change. A hint that is still ahead of the
 * database then was a lie, and its channel is believed more slowly from there on: a flood of forged hints costs two reads
 * a second, and makes a true one on the same channel late by half a second at most. The other channel is not affected.
 */
export const createHintQueue = (count: (outcome: HintOutcome) => void) => {
  let waiting: number[] = [];
  let pauseMs = 0;
  let notBefore = 0;

  return {
    add(version: number): void {
      if (waiting.length < mostWaiting) waiting.push(version);
      else count('excess');
    },

    /** When its hints may cause a read; undefined when none is about a version after `applied`. */
    due(applied: number): number | undefined {
      const ahead = waiting.filter((version) => version > applied);
      for (let known = waiting.length - ahead.length; known > 0; known -= 1) count('known');
      waiting = ahead;
      return ahead.length === 0 ? undefined : notBefore;
    },

    /** Takes what waits, before a read. To be told the version that the read came to, or undefined when it failed. */
    take(): (version: number | undefined, now: number) => void {
      const taken = waiting;
      waiting = [];
      return (version, now) => {
        if (taken.length === 0) return;
        const outcomes = taken.map((hint) => (version === undefined ? 'unread' : hint <= version ? 'true' : 'false'));
        for (const outcome of outcomes) count(outcome);
        const honest = outcomes.every((outcome) => outcome === 'true');
        pauseMs = honest ? 0 : Math.min(Math.max(pauseMs * 2, firstPauseMs), longestPauseMs);
        notBefore = now + pauseMs;
      };
    },
  };
};
