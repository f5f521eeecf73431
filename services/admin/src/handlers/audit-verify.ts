import type { VerifiedAuditDay } from '@authserver/admin-api';
import { type VerifiedDay, verifyAuditChain } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { invalid } from './refusals.ts';

const dayMs = 86_400_000;

/** A line a day, as soon as the day is verified. */
export const verifyAudit: HandlersOf<'audit'>['verify'] = async ({ query, store, now }) => {
  const from = query.since === undefined ? '1970-01-01' : dayOf(new Date(query.since));
  // A process whose clock is ahead may have begun tomorrow.
  const to = dayOf(query.until === undefined ? new Date(now.getTime() + dayMs) : new Date(query.until));
  const expected = readHeads(query.expect);
  const outside = [...expected.keys()].filter((day) => day < from || day > to);
  const problems = [
    ...(to < from ? ['until: must not be before since'] : []),
    ...outside.map((day) => `expect: ${day} is not between since and until`),
  ];
  if (problems.length > 0) throw invalid(problems);
  return days(verifyAuditChain(store.auditChain, { from, to, expected }));
};

const dayOf = (moment: Date): string => moment.toISOString().slice(0, 10);

/** `2026-01-31=<hex>,…`; its form is checked already. */
const readHeads = (text: string | undefined): Map<string, Buffer[]> => {
  const heads = new Map<string, Buffer[]>();
  for (const pair of text?.split(',') ?? []) {
    const [day = '', head = ''] = pair.split('=');
    heads.set(day, [...(heads.get(day) ?? []), Buffer.from(head, 'hex')]);
  }
  return heads;
};

const days = async function* (verified: AsyncIterable<VerifiedDay>): AsyncGenerator<z.output<typeof VerifiedAuditDay>> {
  for await (const { day, events, forgotten, head, status, problem } of verified)
    yield {
      ...{ day, events, forgotten, status },
      head: head?.toString('hex') ?? null,
      problem: problem
        ? {
            kind: problem.kind,
            detail: problem.detail,
            ...(problem.position === undefined ? {} : { position: problem.position }),
            ...(problem.eventId === undefined ? {} : { event_id: problem.eventId }),
          }
        : null,
    };
};
