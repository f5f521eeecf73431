import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { writeLines } from '../../audit/write-lines.ts';
import { exitCodes } from '../../failure.ts';
import { present } from '../../flags.ts';
import { listCommand } from '../../list-command.ts';
import { pairs, rows } from '../../output.ts';
import { parseSince } from '../../since.ts';

const spanFlags = {
  since: Flags.string({
    description: 'how far back, such as 24h or 7d; or an RFC 3339 timestamp',
    helpValue: '<span>',
  }),
  until: Flags.string({ description: 'up to when, in the same words; now when not given', helpValue: '<span>' }),
};

type Span = { since?: string | undefined; until?: string | undefined };

const momentOf = (value: string | undefined, flag: string): string | undefined =>
  value === undefined ? undefined : parseSince(value, new Date(), flag);

const spanOf = ({ since, until }: Span) => ({ since: momentOf(since, '--since'), until: momentOf(until, '--until') });

const list = listCommand({
  summary: 'read the audit trail, newest first',
  examples: [
    'admin audit list --since 7d --action client.created_admin',
    "admin audit list --action 'client.*' --client <client_id>",
    'admin audit list --ip 203.0.113.7 --since 30d --all',
  ],
  operations: ['audit.list'],
  flags: {
    action: Flags.string({
      description: "only this action, or all that begin alike: 'client.*'",
      helpValue: '<action>',
    }),
    actor: Flags.string({ description: 'only what this actor did', helpValue: '<id>' }),
    client: Flags.string({ description: 'only what concerns this client', helpValue: '<id>' }),
    ip: Flags.string({ description: 'only what came from this address', helpValue: '<address>' }),
    'request-id': Flags.string({ description: 'only what this request did', helpValue: '<id>' }),
    ...spanFlags,
  },
  ...{ limit: 50, most: 1000, none: 'no audit events found' },
  list: (api) => api.audit.list,
  input: ({ action, actor, client, ip, 'request-id': requestId, ...span }) => ({
    query: present({ action, actor_id: actor, client_id: client, ip, request_id: requestId, ...spanOf(span) }),
  }),
  items: (events) => events,
  values: ({ created_at, action, actor_id, client_id, ip, detail }) => ({
    ...{ at: created_at, action, actor: actor_id, client_id, ip, detail },
  }),
});

const exportCommand = adminCommand({
  summary: 'write down all audit events of a time, a line of JSON each, oldest first',
  description:
    'Each line has the version of its form (v), the event with its details, and its place in the hash chain. A file appears when all of it is there.',
  examples: [
    'admin audit export --since 7d --to audit.ndjson',
    'admin audit export --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z | gzip > january.ndjson.gz',
  ],
  operations: ['audit.export'],
  flags: {
    ...spanFlags,
    to: Flags.string({ description: 'file, - for standard output', default: '-', helpValue: '<file>' }),
  },
  async call(api, { to, ...span }, { progress }) {
    const bar = progress({ label: 'exporting' });
    const events = await api.audit.export({ query: present(spanOf(span)) });
    const count = await writeLines(to, events, () => bar.advance(1)).finally(() => bar.done());
    return to === '-' ? undefined : { events: count, file: to };
  },
  show: (result) => (result ? [`exported: ${pairs(result)}`] : []),
});

const verify = adminCommand({
  summary: 'verify the hash chain of the audit trail, day by day',
  description:
    'Ends with 1 when something is wrong: an event that was changed, removed or slipped in, or a chain that is not whole. A chain that somebody made anew from its start is only found with a head that was noted elsewhere (--expect).',
  examples: ['admin audit verify', 'admin audit verify --since 30d --expect 2026-01-31=<head>'],
  operations: ['audit.verify'],
  flags: {
    since: Flags.string({
      description: 'the first day, or how far back, such as 30d; all when not given',
      helpValue: '<day>',
    }),
    until: Flags.string({ description: 'the last day; today when not given', helpValue: '<day>' }),
    expect: Flags.string({
      description: 'a head that was noted; it has to be in the chain of its day',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<day>=<head>',
    }),
  },
  async call(api, { since, until, expect }, { progress }) {
    const dayOf = (value: string | undefined, flag: string) =>
      value !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(value) ? value : momentOf(value, flag);
    const query = { since: dayOf(since, '--since'), until: dayOf(until, '--until'), expect: expect?.join(',') };
    const bar = progress({ label: 'days verified:' });
    const days = [];
    try {
      for await (const day of await api.audit.verify({ query: present(query) })) {
        days.push(day);
        bar.advance(1);
      }
    } finally {
      bar.done();
    }
    const ok = days.every(({ status }) => status !== 'broken');
    if (!ok) process.exitCode = exitCodes.failure;
    return { ok, days };
  },
  show: ({ days }) =>
    rows(days, 'there are no audit events', ({ problem, forgotten, ...day }) => ({
      ...{ day: day.day, status: day.status, events: day.events },
      ...(forgotten > 0 ? { forgotten } : {}),
      ...(problem && {
        problem: problem.kind,
        position: problem.position,
        event_id: problem.event_id,
        detail: problem.detail,
      }),
      head: day.head,
    })),
  remark: ({ days }) => {
    const broken = days.filter(({ status }) => status === 'broken').length;
    return broken > 0 ? `${broken} of ${days.length} days are not as they were written` : undefined;
  },
});

export const auditCommands = {
  'admin:audit:list': list,
  'admin:audit:export': exportCommand,
  'admin:audit:verify': verify,
};
