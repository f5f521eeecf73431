import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { usageFailure } from '../../failure.ts';
import { pageFlags, present } from '../../flags.ts';
import { readJsonObject } from '../../json-file.ts';
import { pairs } from '../../output.ts';

type Provider = Awaited<ReturnType<AdminClient['provider']['get']>>;

/** The admin API takes either in the same place. */
const selector = {
  slug: Flags.string({ description: 'slug of the provider', helpValue: '<slug>', exactlyOne: ['slug', 'id'] }),
  id: Flags.string({ description: 'id of the provider, instead of its slug', helpValue: '<id>' }),
};
const selected = ({ slug, id }: { slug?: string | undefined; id?: string | undefined }) => ({ id: slug ?? id ?? '' });

const displayName = { description: 'name people see', helpValue: '<name>' };
const protocol = {
  options: ['oauth', 'api_key', 'service_account'] as const,
  description: 'how the credentials of its users are obtained',
};
const configData = {
  description: 'JSON file with what the protocol needs; a secret is named in it as client_secret_ref, never written',
  helpValue: '<path>',
};
const readConfigData = (path: string) => readJsonObject('config-data', path);

/** A display name is quoted always: most have a blank in them. */
const lineOf = ({ id, slug, display_name, protocol }: Provider) =>
  `${pairs({ id, slug })} display_name=${JSON.stringify(display_name)} ${pairs({ protocol })}`;

const list = adminCommand({
  summary: 'list upstream providers',
  examples: ['admin provider list', 'admin provider list --json'],
  flags: pageFlags(100),
  call: async (api, { limit, offset }) => [await api.provider.list({ query: present({ limit, offset }) })].flat(),
  show: (providers) => (providers.length === 0 ? ['no providers found'] : providers.map(lineOf)),
});

const get = adminCommand({
  summary: 'show an upstream provider',
  examples: ['admin provider get --slug github'],
  flags: selector,
  call: (api, flags) => api.provider.get(selected(flags)),
  show: (provider) => [`${lineOf(provider)} ${pairs({ config_data: JSON.stringify(provider.config_data) })}`],
});

const create = adminCommand({
  summary: 'add an upstream provider',
  examples: [
    'admin provider create --slug github --protocol oauth --display-name "GitHub" --config-data ./github-provider.json',
  ],
  flags: {
    slug: Flags.string({ description: 'name in URLs and on the command line', helpValue: '<slug>', required: true }),
    'display-name': Flags.string({ ...displayName, required: true }),
    protocol: Flags.option({ ...protocol, required: true })(),
    'config-data': Flags.string({ ...configData, required: true }),
  },
  call: async (api, flags) =>
    api.provider.create({
      body: {
        slug: flags.slug,
        display_name: flags['display-name'],
        protocol: flags.protocol,
        config_data: await readConfigData(flags['config-data']),
      },
    }),
  show: ({ id, slug }) => [`provider created: ${pairs({ id, slug })}`],
});

const update = adminCommand({
  summary: 'change an upstream provider; what is not given stays',
  examples: ['admin provider update --slug github --config-data ./github-provider.json'],
  flags: {
    ...selector,
    'new-slug': Flags.string({ description: 'another slug', helpValue: '<slug>' }),
    'display-name': Flags.string(displayName),
    protocol: Flags.option(protocol)(),
    'config-data': Flags.string(configData),
  },
  call: async (api, flags) => {
    const body = present({
      slug: flags['new-slug'],
      display_name: flags['display-name'],
      protocol: flags.protocol,
      config_data: flags['config-data'] === undefined ? undefined : await readConfigData(flags['config-data']),
    });
    if (Object.keys(body).length === 0)
      throw usageFailure('nothing to change: give at least one flag besides --slug or --id');
    return api.provider.update({ ...selected(flags), body });
  },
  show: ({ id, slug }) => [`provider updated: ${pairs({ id, slug })}`],
});

const remove = adminCommand({
  summary: 'delete an upstream provider that no resource and no user needs',
  examples: ['admin provider delete --slug github'],
  flags: selector,
  call: async (api, flags) => {
    await api.provider.delete(selected(flags));
    return present({ id: flags.id, slug: flags.slug });
  },
  show: (deleted) => [`provider deleted: ${pairs(deleted)}`],
});

export const providerCommands = {
  'admin:provider:list': list,
  'admin:provider:get': get,
  'admin:provider:create': create,
  'admin:provider:update': update,
  'admin:provider:delete': remove,
};
