import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { idFlag, pageFlags, present } from '../../flags.ts';
import { pairs, rows } from '../../output.ts';

type Idp = Awaited<ReturnType<AdminClient['idp']['get']>>;

const id = () => idFlag('identity provider');
const name = Flags.string({ description: 'name for people', helpValue: '<name>' });
const audience = { description: 'what its assertions must have as aud', helpValue: '<text>' };
const jwksUri = { description: 'where its public keys are', helpValue: '<url>' };
const summaryOf = ({ id, name, issuer, enabled, keys_fetched_at }: Idp) => ({
  ...{ id, name, issuer, enabled, keys_fetched_at },
});

const list = adminCommand({
  summary: 'list trusted identity providers',
  examples: ['admin idp list'],
  flags: pageFlags(100),
  call: (api, { limit, offset }) => api.idp.list({ query: present({ limit, offset }) }),
  show: (idps) => rows(idps, 'no identity providers found', summaryOf),
});

const get = adminCommand({
  summary: 'show a trusted identity provider',
  examples: ['admin idp get --id <idp_id>'],
  flags: { id: id() },
  call: (api, { id }) => api.idp.get({ id }),
  show: (idp) => [pairs(idp)],
});

const create = adminCommand({
  summary: 'trust an identity provider',
  description:
    'Without --jwks-uri its metadata is asked for its keys. It is stored whatever comes of that; admin idp refresh-keys tries again.',
  examples: [
    'admin idp create --issuer https://idp.example.com',
    'admin idp create --issuer https://idp.example.com --jwks-uri https://idp.example.com/.well-known/jwks.json',
  ],
  flags: {
    issuer: Flags.string({
      description: 'issuer identifier, exactly as its assertions say it',
      helpValue: '<url>',
      required: true,
    }),
    name,
    audience: Flags.string({ ...audience, description: `${audience.description}; our issuer when not given` }),
    'jwks-uri': Flags.string(jwksUri),
    disabled: Flags.boolean({ description: 'do not believe its assertions before it is enabled' }),
  },
  call: (api, { issuer, name, audience, 'jwks-uri': jwks_uri, disabled }) =>
    api.idp.create({ body: { issuer, ...present({ name, audience, jwks_uri }), enabled: !disabled } }),
  show: ({ id, issuer }) => [`identity provider created: ${pairs({ id, issuer })}`],
  remark: ({ warning }) => warning,
});

const update = adminCommand({
  summary: 'change a trusted identity provider; what is not given stays, and so does its issuer',
  examples: [
    'admin idp update --id <idp_id> --no-enabled',
    'admin idp update --id <idp_id> --discover-keys --default-audience',
  ],
  operations: ['idp.update', 'idp.put'],
  flags: {
    id: id(),
    name,
    audience: Flags.string({ ...audience, exclusive: ['default-audience'] }),
    'default-audience': Flags.boolean({ description: 'its assertions are for our issuer' }),
    'jwks-uri': Flags.string({ ...jwksUri, exclusive: ['discover-keys'] }),
    'discover-keys': Flags.boolean({ description: 'its keys are where its metadata says' }),
    enabled: Flags.boolean({ description: 'whether its assertions are believed', allowNo: true }),
  },
  call: (api, { id, name, enabled, ...flags }) =>
    api.idp.update({
      id,
      body: present({
        ...{ name, enabled },
        audience: flags['default-audience'] ? null : flags.audience,
        jwks_uri: flags['discover-keys'] ? null : flags['jwks-uri'],
      }),
    }),
  show: ({ id, issuer, enabled }) => [`identity provider updated: ${pairs({ id, issuer, enabled })}`],
});

const remove = adminCommand({
  summary: 'no longer trust an identity provider',
  examples: ['admin idp delete --id <idp_id>', 'admin idp delete --id <idp_id> --cascade'],
  flags: { id: id(), cascade: Flags.boolean({ description: 'delete its policies and subject mappings with it' }) },
  call: async (api, { id, cascade }) => {
    await api.idp.delete({ id, query: cascade ? { cascade: 'true' } : {} });
    return { id };
  },
  show: ({ id }) => [`identity provider deleted: ${pairs({ id })}`],
});

const refreshKeys = adminCommand({
  summary: 'fetch the keys of an identity provider, and have every token service fetch them again',
  examples: ['admin idp refresh-keys --id <idp_id>'],
  flags: { id: id() },
  call: (api, { id }) => api.idp.refreshKeys({ id }),
  show: ({ status, ...found }, { id }) => [`keys ${status}: ${pairs({ id, ...found })}`],
});

export const idpCommands = {
  'admin:idp:list': list,
  'admin:idp:get': get,
  'admin:idp:create': create,
  'admin:idp:update': update,
  'admin:idp:delete': remove,
  'admin:idp:refresh-keys': refreshKeys,
};
