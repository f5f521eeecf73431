import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { idFlag } from '../../flags.ts';
import { pairs } from '../../output.ts';

const listUserGrants = adminCommand({
  summary: 'list what a user allowed, revoked grants too',
  examples: ['admin grant list-user-grants --user <user_id>'],
  flags: { user: Flags.string({ description: 'id of the user', helpValue: '<id>', required: true }) },
  call: (api, { user }) => api.grant.listUserGrants({ id: user }),
  show: ({ consent_grants, broker_grants }) => [
    `consent_grants (${consent_grants.length}):`,
    ...consent_grants.map(({ id, user_id, client_id, resource_id, scopes, revoked_at }) => {
      const grant = { id, user_id, client_id, resource_id: resource_id ?? '', scopes, revoked_at };
      return `  ${pairs(grant)}`;
    }),
    `broker_grants (${broker_grants.length}):`,
  ],
});

const revokeConsent = adminCommand({
  summary: 'revoke a consent grant, with all tokens issued under it',
  examples: ['admin grant revoke-consent --id <consent_grant_id>'],
  flags: { id: idFlag('consent grant') },
  call: async (api, { id }) => {
    await api.grant.revokeConsent({ id });
    return { id };
  },
  show: ({ id }) => [`revoked consent grant: ${pairs({ id })}`],
});

export const grantCommands = {
  'admin:grant:list-user-grants': listUserGrants,
  'admin:grant:revoke-consent': revokeConsent,
};
