import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { present } from '../../flags.ts';
import { pairs } from '../../output.ts';

type Explanation = Awaited<ReturnType<AdminClient['exchange']['explain']>>;

const clientId = (description: string) => Flags.string({ description, helpValue: '<id>' });
const list = (description: string) =>
  Flags.string({ description, helpValue: '<a,b>', delimiter: ',', multiple: true, multipleNonGreedy: true });

const explain = adminCommand({
  summary: 'explain whether a client may exchange a token, gate by gate, without issuing one',
  description:
    'Asks what the token endpoint asks. About a token that was issued (--subject-jti), or about one as it is described: ' +
    'its user, its client, and what it would be for. The first gate that denies is what the client is told. Keys (DPoP) ' +
    'are taken as proven.',
  examples: [
    'admin exchange explain --client-id <client_id> --subject-jti <jti> --resource hidden',
    'admin exchange explain --client-id <client_id> --user <user_id> --subject-client-id <client_id> --subject-resource gateway --subject-scope src/read --resource hidden --scope dst/read',
  ],
  operations: ['exchange.explain'],
  flags: {
    'client-id': Flags.string({ description: 'client that would ask', helpValue: '<id>', required: true }),
    'subject-jti': Flags.string({
      description: 'an issued token',
      helpValue: '<jti>',
      exactlyOne: ['subject-jti', 'subject-client-id'],
    }),
    'subject-client-id': clientId('client the token would have been issued to'),
    user: clientId('user the token would be of; none for a token of the client itself'),
    'subject-resource': list('resources the token would be for, by URI or slug'),
    'subject-scope': Flags.string({ description: 'scopes the token would have', helpValue: '<scopes>' }),
    'actor-client-id': clientId('client that an actor token would be of'),
    resource: list('targets, by URI or slug'),
    scope: Flags.string({ description: 'scopes that would be asked for', helpValue: '<scopes>' }),
  },
  call: (api, flags) =>
    api.exchange.explain({
      body: {
        client_id: flags['client-id'],
        ...present({
          subject_jti: flags['subject-jti'],
          subject_client_id: flags['subject-client-id'],
          user: flags.user,
          subject_resource: flags['subject-resource'],
          subject_scope: flags['subject-scope'],
          actor_client_id: flags['actor-client-id'],
          resource: flags.resource,
          scope: flags.scope,
        }),
      },
    }),
  show: (explanation) => [
    verdictOf(explanation),
    ...(explanation.budgets ?? []).map((budget) => `budget: ${pairs(budget)}`),
    ...explanation.gates.map(pairs),
  ],
});

const verdictOf = ({ allowed, error, cause, reason, scope, kind, targets }: Explanation): string =>
  allowed
    ? `allowed: ${pairs({ scope, kind, targets: targets?.map(({ uri }) => uri), ways: targets?.map(({ way }) => way) })}`
    : `denied: ${pairs({ error, cause, reason })}`;

export const exchangeCommands = { 'admin:exchange:explain': explain };
