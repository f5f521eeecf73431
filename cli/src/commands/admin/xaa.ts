import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { idFlag, listFlag, listOf, pageFlags, present } from '../../flags.ts';
import { pairs, rows } from '../../output.ts';

type Policy = Awaited<ReturnType<AdminClient['xaaPolicy']['get']>>;
type Mapping = Awaited<ReturnType<AdminClient['subjectMapping']['get']>>;

const ofIdp = Flags.string({ description: 'only those of this identity provider', helpValue: '<id>' });
const idp = Flags.string({ description: 'id of the identity provider', helpValue: '<id>', required: true });

/** A list that is not there restricts nothing, which is not the same as an empty one. */
const any = (items: readonly string[] | null) => items ?? 'any';
const policyLine = ({ client_ids, scopes, resources, created_at, updated_at, ...policy }: Policy) =>
  pairs({ ...policy, client_ids: any(client_ids), scopes: any(scopes), resources: any(resources) });

const policyFlags = {
  name: Flags.string({ description: 'name for people', helpValue: '<name>' }),
  priority: Flags.integer({ description: 'lower ones are asked first; 100 when not given', helpValue: '<n>' }),
};
const clientIds = { description: 'clients it is about; any when not given' };
const scopes = { description: 'scopes that may be granted at most; any when not given' };
const resources = { description: 'URIs of the resources it is about; any when not given' };

const listPolicies = adminCommand({
  summary: 'list XAA policies, those of one identity provider in the order in which they are asked',
  examples: ['admin xaa policy list --idp <idp_id>'],
  operations: ['xaaPolicy.list'],
  flags: { idp: ofIdp, ...pageFlags(100) },
  call: (api, { idp: idp_id, limit, offset }) => api.xaaPolicy.list({ query: present({ idp_id, limit, offset }) }),
  show: (policies) => (policies.length === 0 ? ['no policies found'] : policies.map(policyLine)),
});

const getPolicy = adminCommand({
  summary: 'show an XAA policy',
  examples: ['admin xaa policy get --id <policy_id>'],
  operations: ['xaaPolicy.get'],
  flags: { id: idFlag('policy') },
  call: (api, { id }) => api.xaaPolicy.get({ id }),
  show: (policy) => [policyLine(policy)],
});

const createPolicy = adminCommand({
  summary: 'say what assertions of an identity provider may become tokens for',
  examples: [
    'admin xaa policy create --idp <idp_id> --client-ids <client_id> --scopes tools/read --resources https://mcp.example.com/mcp',
  ],
  operations: ['xaaPolicy.create'],
  flags: {
    idp,
    ...policyFlags,
    'client-ids': listFlag(clientIds),
    scopes: listFlag(scopes),
    resources: listFlag(resources),
    disabled: Flags.boolean({ description: 'do not ask it before it is enabled' }),
  },
  call: (api, { idp: idp_id, name, priority, disabled, ...flags }) =>
    api.xaaPolicy.create({
      body: {
        idp_id,
        ...present({
          ...{ name, priority },
          client_ids: listOf(flags['client-ids']),
          scopes: listOf(flags.scopes),
          resources: listOf(flags.resources),
        }),
        enabled: !disabled,
      },
    }),
  show: ({ id, idp_id, name }) => [`policy created: ${pairs({ id, idp_id, name })}`],
});

const updatePolicy = adminCommand({
  summary: 'change an XAA policy; what is not given stays',
  examples: [
    'admin xaa policy update --id <policy_id> --scopes tools/read,tools/write',
    'admin xaa policy update --id <policy_id> --any-client --any-resource',
  ],
  operations: ['xaaPolicy.update', 'xaaPolicy.put'],
  flags: {
    id: idFlag('policy'),
    ...policyFlags,
    'client-ids': listFlag({ description: 'clients it is about', exclusive: ['any-client'] }),
    'any-client': Flags.boolean({ description: 'it is about every client' }),
    scopes: listFlag({ description: 'scopes that may be granted at most', exclusive: ['any-scope', 'no-scope'] }),
    'any-scope': Flags.boolean({ description: 'any scope may be granted', exclusive: ['no-scope'] }),
    'no-scope': Flags.boolean({ description: 'nothing is granted: whatever it is about is refused' }),
    resources: listFlag({ description: 'URIs of the resources it is about', exclusive: ['any-resource'] }),
    'any-resource': Flags.boolean({ description: 'it is about every resource' }),
    enabled: Flags.boolean({ description: 'whether it is asked', allowNo: true }),
  },
  call: (api, { id, name, priority, enabled, ...flags }) =>
    api.xaaPolicy.update({
      id,
      body: present({
        ...{ name, priority, enabled },
        client_ids: flags['any-client'] ? null : listOf(flags['client-ids']),
        scopes: flags['any-scope'] ? null : flags['no-scope'] ? [] : listOf(flags.scopes),
        resources: flags['any-resource'] ? null : listOf(flags.resources),
      }),
    }),
  show: (policy) => [`policy updated: ${policyLine(policy)}`],
});

const deletePolicy = adminCommand({
  summary: 'delete an XAA policy',
  examples: ['admin xaa policy delete --id <policy_id>'],
  operations: ['xaaPolicy.delete'],
  flags: { id: idFlag('policy') },
  call: async (api, { id }) => {
    await api.xaaPolicy.delete({ id });
    return { id };
  },
  show: ({ id }) => [`policy deleted: ${pairs({ id })}`],
});

const mappingOf = ({ id, idp_id, idp_subject, local_user_id }: Mapping) => ({ id, idp_id, idp_subject, local_user_id });
const user = { description: 'the account here, by id or e-mail address', helpValue: '<id|email>' };

const listMappings = adminCommand({
  summary: 'list which subjects of identity providers have which accounts here',
  examples: ['admin xaa mapping list --idp <idp_id>', 'admin xaa mapping list --user <user_id>'],
  operations: ['subjectMapping.list'],
  flags: {
    idp: ofIdp,
    user: Flags.string({ description: 'only those of this account', helpValue: '<id>' }),
    ...pageFlags(100),
  },
  call: (api, { idp: idp_id, user: local_user_id, limit, offset }) =>
    api.subjectMapping.list({ query: present({ idp_id, local_user_id, limit, offset }) }),
  show: (mappings) => rows(mappings, 'no subject mappings found', mappingOf),
});

const getMapping = adminCommand({
  summary: 'show a subject mapping',
  examples: ['admin xaa mapping get --id <mapping_id>'],
  operations: ['subjectMapping.get'],
  flags: { id: idFlag('mapping') },
  call: (api, { id }) => api.subjectMapping.get({ id }),
  show: (mapping) => [pairs(mapping)],
});

const createMapping = adminCommand({
  summary: 'say which account a subject of an identity provider has here',
  examples: ['admin xaa mapping create --idp <idp_id> --subject 00u1a2b3 --user you@example.com'],
  operations: ['subjectMapping.create'],
  flags: {
    idp,
    subject: Flags.string({
      description: 'what its assertions have as sub',
      helpValue: '<text>',
      required: true,
    }),
    user: Flags.string({ ...user, description: `${user.description}; without one the subject is known and has none` }),
  },
  call: (api, { idp: idp_id, subject: idp_subject, user: local_subject }) =>
    api.subjectMapping.create({ body: { idp_id, idp_subject, ...present({ local_subject }) } }),
  show: (mapping) => [`subject mapping created: ${pairs(mappingOf(mapping))}`],
});

const updateMapping = adminCommand({
  summary: 'give a subject another account, or none',
  examples: [
    'admin xaa mapping update --id <mapping_id> --user you@example.com',
    'admin xaa mapping update --id <mapping_id> --no-user',
  ],
  operations: ['subjectMapping.update'],
  flags: {
    id: idFlag('mapping'),
    user: Flags.string({ ...user, exactlyOne: ['user', 'no-user'] }),
    'no-user': Flags.boolean({ description: 'the subject is known and has no account here' }),
  },
  call: (api, { id, user, 'no-user': none }) =>
    api.subjectMapping.update({
      id,
      body: none ? { local_user_id: null } : present({ local_subject: user }),
    }),
  show: (mapping) => [`subject mapping updated: ${pairs(mappingOf(mapping))}`],
});

const deleteMapping = adminCommand({
  summary: 'delete a subject mapping',
  examples: ['admin xaa mapping delete --id <mapping_id>'],
  operations: ['subjectMapping.delete'],
  flags: { id: idFlag('mapping') },
  call: async (api, { id }) => {
    await api.subjectMapping.delete({ id });
    return { id };
  },
  show: ({ id }) => [`subject mapping deleted: ${pairs({ id })}`],
});

export const xaaCommands = {
  'admin:xaa:policy:list': listPolicies,
  'admin:xaa:policy:get': getPolicy,
  'admin:xaa:policy:create': createPolicy,
  'admin:xaa:policy:update': updatePolicy,
  'admin:xaa:policy:delete': deletePolicy,
  'admin:xaa:mapping:list': listMappings,
  'admin:xaa:mapping:get': getMapping,
  'admin:xaa:mapping:create': createMapping,
  'admin:xaa:mapping:update': updateMapping,
  'admin:xaa:mapping:delete': deleteMapping,
};
