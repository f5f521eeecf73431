import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { idFlag, present } from '../../flags.ts';
import { listCommand } from '../../list-command.ts';
import { pairs } from '../../output.ts';
import { parseSince } from '../../since.ts';
import { unknownAmong } from '../../unknown-names.ts';

type Issuance = Awaited<ReturnType<AdminClient['issuance']['get']>>;

const issuanceId = () => idFlag('issuance');
const summaryOf = (issuance: Issuance) => ({
  id: issuance.id,
  jti: issuance.jti,
  subject_user_id: issuance.subject_user_id ?? '',
  client_id: issuance.client_id,
  resource_id: issuance.resource_id ?? '',
  backend_kind: issuance.backend_kind,
  status: issuance.status,
  issued_at: issuance.issued_at,
  expires_at: issuance.expires_at,
  revoked_at: issuance.revoked_at,
});

const list = listCommand({
  summary: 'find issued tokens, newest first',
  examples: [
    'admin issuance list --user <user_id>',
    'admin issuance list --client <client_id> --limit 50',
    'admin issuance list --resource my-mcp --since 7d',
    'admin issuance list --client <client_id> --since 30d --all --json',
  ],
  operations: ['issuance.list', 'client.get', 'user.get', 'resource.get'],
  flags: {
    user: Flags.string({
      description: 'id of the user',
      helpValue: '<id>',
      atLeastOne: ['user', 'client', 'resource', 'jti'],
    }),
    client: Flags.string({ description: 'id of the client', helpValue: '<id>' }),
    resource: Flags.string({ description: 'slug or id of the resource', helpValue: '<slug>' }),
    jti: Flags.string({ description: 'one token, however old', helpValue: '<jti>' }),
    since: Flags.string({
      description: 'how far back, such as 24h, 7d or 2w, at most 30d; or an RFC 3339 timestamp',
      default: '24h',
      helpValue: '<span>',
    }),
  },
  ...{ limit: 500, most: 5000, offset: false, none: 'no issuances found' },
  list: (api) => api.issuance.list,
  input: ({ user, client, resource, jti, since }) => ({
    query: present({ user, client, resource, jti, since: parseSince(since, new Date()) }),
  }),
  heading: ({ count, since }, all) => (all ? `issuances since=${since}:` : `issuances (${count}) since=${since}:`),
  items: ({ issuances }) => issuances,
  whyEmpty: unknownAmong,
  values: summaryOf,
});

const get = adminCommand({
  summary: 'show one issued token',
  examples: ['admin issuance get --id <issuance_id>'],
  flags: { id: issuanceId() },
  call: (api, { id }) => api.issuance.get({ id }),
  show: (issuance) => [pairs({ ...summaryOf(issuance), scopes: issuance.scopes })],
});

const revoke = adminCommand({
  summary: 'revoke one issued token and its descendants',
  examples: ['admin issuance revoke --id <issuance_id>'],
  flags: { id: issuanceId() },
  call: async (api, { id }) => {
    await api.issuance.revoke({ id });
    return { id };
  },
  show: ({ id }) => [`issuance revoked: ${pairs({ id })}`],
});

export const issuanceCommands = {
  'admin:issuance:list': list,
  'admin:issuance:get': get,
  'admin:issuance:revoke': revoke,
};
