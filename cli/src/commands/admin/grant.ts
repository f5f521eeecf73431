import { pages } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { idFlag } from '../../flags.ts';
import { pairs } from '../../output.ts';

const listUserGrants = adminCommand({
  summary: 'list what a user allowed, revoked grants too',
  examples: ['admin grant list-user-grants --user <user_id>'],
  flags: { user: Flags.string({ description: 'id of the user', helpValue: '<id>', required: true }) },
  call: async (api, { user }) => {
    const grants: Awaited<ReturnType<typeof api.grant.listUserGrants>> = { consent_grants: [], broker_grants: [] };
    for await (const page of pages(api.grant.listUserGrants, { id: user, query: { limit: 1000 } })) {
      grants.consent_grants.push(...page.consent_grants);
      grants.broker_grants.push(...page.broker_grants);
    }
    return grants;
  },
  show: ({ consent_grants, broker_grants }) => [
    `consent_grants (${consent_grants.length}):`,
    ...consent_grants.map(({ id, user_id, client_id, resource_id, scopes, revoked_at }) => {
      const grant = { id, user_id, client_id, resource_id: resource_id ?? '', scopes, revoked_at };
      return `  ${pairs(grant)}`;
    }),
    `broker_grants (${broker_grants.length}):`,
    ...broker_grants.map(({ id, user_id, broker_provider_id, scopes_granted, version, revoked_at }) => {
      const grant = { id, user_id, broker_provider_id, scopes_granted, version, revoked_at };
      return `  ${pairs(grant)}`;
    }),
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

const revokeBroker = adminCommand({
  summary: 'revoke a broker grant and forget its credential; tokens the provider has issued live on',
  examples: ['admin grant revoke-broker --id <broker_grant_id>'],
  flags: { id: idFlag('broker grant') },
  call: async (api, { id }) => {
    await api.grant.revokeBroker({ id });
    return { id };
  },
  show: ({ id }) => [`revoked broker grant: ${pairs({ id })}`],
});

export const grantCommands = {
  'admin:grant:list-user-grants': listUserGrants,
  'admin:grant:revoke-consent': revokeConsent,
  'admin:grant:revoke-broker': revokeBroker,
};
