import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { pairs, type Value } from '../../output.ts';

type Event = Awaited<ReturnType<AdminClient['trace']['list']>>['events'][number];

const trace = adminCommand({
  summary: 'show what a client tried on its way in, step by step',
  description:
    'Error pages show a reference, and logs a request id: either shows the steps of its client ten minutes before and ' +
    'after, and discovery from the same address; if the request named no client, the step itself and that discovery. ' +
    'A client id shows its latest steps, and discovery from their addresses in the ten minutes before each. ' +
    'Kept for a day; the oldest step comes first. Under the limit the own steps come before discovery.',
  examples: ['admin trace --reference 7K2M-QX4D', 'admin trace --client <client_id>'],
  operations: ['trace.list'],
  flags: {
    reference: Flags.string({
      description: 'reference on the error page, or request id',
      helpValue: '<reference>',
      exactlyOne: ['reference', 'client'],
    }),
    client: Flags.string({ description: 'id of the client, also one that does not exist', helpValue: '<id>' }),
    limit: Flags.integer({ description: 'steps at most; the latest count', min: 1, max: 1000, default: 200 }),
  },
  call: (api, { reference, client, limit }) =>
    api.trace.list({ query: { limit, ...(client === undefined ? { reference } : { client_id: client }) } }),
  show: ({ events }) => (events.length === 0 ? ['nothing was recorded in the last 24 hours'] : events.map(line)),
});

const line = ({ at, step, outcome, status, error, reason, client_id, ip, reference, details }: Event): string =>
  pairs({ at, step, outcome, status, error, reason, client_id, ip, reference, ...shownDetails(details) });

const shownDetails = (details: Event['details']): Record<string, Value> =>
  Object.fromEntries(
    Object.entries(details).map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]),
  );

export const traceCommands = { 'admin:trace': trace };
