import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { usageFailure } from '../../failure.ts';
import { present } from '../../flags.ts';
import { readJsonObject } from '../../json-file.ts';
import { listCommand } from '../../list-command.ts';
import { pairs } from '../../output.ts';
import { parseLinkMap } from '../../scopes.ts';

type Link = Awaited<ReturnType<AdminClient['fronting']['get']>>;
type ScopeMap = Link['scope_map'];

const source = { description: 'slug of the resource in front', helpValue: '<slug>' };
const target = { description: 'slug of the resource behind it', helpValue: '<slug>' };
const ends = {
  source: Flags.string({ ...source, required: true }),
  target: Flags.string({ ...target, required: true }),
};
const mapFlags = {
  'scope-map': Flags.string({
    description: 'what a scope of the source becomes at the target; the first colon separates, + joins several',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: '<a:b,c:d+e>',
  }),
  'scope-map-file': Flags.string({
    description: 'the same as a JSON object of arrays, for scopes with a colon, a comma or a plus in their names',
    exclusive: ['scope-map'],
    helpValue: '<path>',
  }),
};

/** The map that was given, or undefined when none was. */
const mapOf = async (flags: {
  'scope-map'?: string[] | undefined;
  'scope-map-file'?: string | undefined;
}): Promise<ScopeMap | undefined> => {
  const path = flags['scope-map-file'];
  if (path !== undefined) return (await readJsonObject('scope-map-file', path)) as ScopeMap;
  return flags['scope-map'] === undefined ? undefined : parseLinkMap(flags['scope-map'].join(','));
};

const summaryOf = ({ source_slug, target_slug, scope_map, created_by }: Link) => ({
  source: source_slug,
  target: target_slug,
  scope_map: `{${Object.entries(scope_map)
    .map(([name, mapped]) => `${name}->${mapped.join('+')}`)
    .join(',')}}`,
  created_by,
});
const endsOf = ({ source_slug, target_slug }: Link) => pairs({ source: source_slug, target: target_slug });

const list = listCommand({
  summary: 'list links from a resource to one behind it',
  examples: ['admin fronting list', 'admin fronting list --source gateway'],
  operations: ['fronting.list'],
  flags: { source: Flags.string(source), target: Flags.string(target) },
  ...{ limit: 100, most: 500, none: 'no fronting links found' },
  list: (api) => api.fronting.list,
  input: (flags) => ({ query: present({ source: flags.source, target: flags.target }) }),
  items: (links) => links,
  values: summaryOf,
});

const get = adminCommand({
  summary: 'show a fronting link',
  examples: ['admin fronting get --source gateway --target hidden'],
  flags: ends,
  call: (api, flags) => api.fronting.get({ source: flags.source, target: flags.target }),
  show: (link) => [pairs(summaryOf(link))],
});

const show = adminCommand({
  summary: 'show the links that begin or end at a resource',
  examples: ['admin fronting show --slug gateway'],
  flags: { slug: Flags.string({ description: 'slug of the resource', helpValue: '<slug>', required: true }) },
  call: (api, { slug }) => api.fronting.show({ slug }),
  show: ({ fronts, fronted_by }) => [
    `fronts (${fronts.length}):`,
    ...fronts.map((link) => `  ${pairs(summaryOf(link))}`),
    `fronted_by (${fronted_by.length}):`,
    ...fronted_by.map((link) => `  ${pairs(summaryOf(link))}`),
  ],
});

const create = adminCommand({
  summary: 'create a fronting link: tokens for the source may become tokens for the target',
  examples: ['admin fronting create --source gateway --target hidden --scope-map "src/read:dst/read"'],
  flags: {
    ...ends,
    ...mapFlags,
    'dry-run': Flags.boolean({ description: 'check everything and say whether it would be made, but make nothing' }),
  },
  call: async (api, flags) => {
    const scope_map = await mapOf(flags);
    if (scope_map === undefined) throw usageFailure('give --scope-map or --scope-map-file');
    return api.fronting.create({ body: { source: flags.source, target: flags.target, scope_map } });
  },
  show: (link, flags) => [`${flags['dry-run'] ? 'validation OK' : 'fronting link created'}: ${endsOf(link)}`],
});

const update = adminCommand({
  summary: 'change what a fronting link maps to what',
  examples: ['admin fronting update --source gateway --target hidden --scope-map "src/read:dst/read+dst/list"'],
  flags: { ...ends, ...mapFlags },
  call: async (api, flags) => {
    const scope_map = await mapOf(flags);
    if (scope_map === undefined) throw usageFailure('nothing to change: give --scope-map or --scope-map-file');
    return api.fronting.update({ source: flags.source, target: flags.target, body: { scope_map } });
  },
  show: (link) => [`fronting link updated: ${endsOf(link)}`],
});

const remove = adminCommand({
  summary: 'delete a fronting link',
  examples: ['admin fronting delete --source gateway --target hidden'],
  flags: ends,
  call: async (api, flags) => {
    await api.fronting.delete({ source: flags.source, target: flags.target });
    return { source: flags.source, target: flags.target };
  },
  show: (deleted) => [`fronting link deleted: ${pairs(deleted)}`],
});

export const frontingCommands = {
  'admin:fronting:list': list,
  'admin:fronting:get': get,
  'admin:fronting:show': show,
  'admin:fronting:create': create,
  'admin:fronting:update': update,
  'admin:fronting:delete': remove,
};
