import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { pageFlags, present } from '../../flags.ts';
import { rows } from '../../output.ts';
import { parseSince } from '../../since.ts';

const list = adminCommand({
  summary: 'read the audit trail, newest first',
  examples: ['admin audit list --since 7d --action client.created_admin'],
  flags: {
    action: Flags.string({ description: 'only this action', helpValue: '<action>' }),
    actor: Flags.string({ description: 'only what this actor did', helpValue: '<id>' }),
    client: Flags.string({ description: 'only what concerns this client', helpValue: '<id>' }),
    since: Flags.string({
      description: 'how far back, such as 24h or 7d; or an RFC 3339 timestamp',
      helpValue: '<span>',
    }),
    ...pageFlags(50),
  },
  call: (api, { action, actor, client, since, limit, offset }) =>
    api.audit.list({
      query: present({
        action,
        actor_id: actor,
        client_id: client,
        since: since === undefined ? undefined : parseSince(since, new Date()),
        limit,
        offset,
      }),
    }),
  show: (events) =>
    rows(events, 'no audit events found', ({ created_at, action, actor_id, client_id, ip, detail }) => ({
      at: created_at,
      action,
      actor: actor_id,
      client_id,
      ip,
      detail,
    })),
});

export const auditCommands = { 'admin:audit:list': list };
