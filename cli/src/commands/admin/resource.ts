import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { budgetText } from '../../budgets.ts';
import { usageFailure } from '../../failure.ts';
import { listFlag, listOf, present } from '../../flags.ts';
import { listCommand } from '../../list-command.ts';
import { pairs } from '../../output.ts';
import { parseScope, parseScopeMap, readScopesFile, type Scope } from '../../scopes.ts';

type Resource = Awaited<ReturnType<AdminClient['resource']['get']>>;
type Policy = NonNullable<Parameters<AdminClient['resource']['update']>[0]['body']['policy']>;

/** The admin API takes either in the same place. */
const selector = {
  slug: Flags.string({ description: 'slug of the resource', helpValue: '<slug>', exactlyOne: ['slug', 'id'] }),
  id: Flags.string({ description: 'id of the resource, instead of its slug', helpValue: '<id>' }),
};
const selected = ({ slug, id }: { slug?: string | undefined; id?: string | undefined }) => ({ id: slug ?? id ?? '' });

const detailFlags = {
  uri: Flags.string({ description: 'identifier and audience of its tokens (RFC 8707 §2)', helpValue: '<uri>' }),
  'display-name': Flags.string({ description: 'name on the consent page', helpValue: '<name>' }),
  'dpop-required': Flags.boolean({
    description: 'issue only tokens that are bound to a key (RFC 9449)',
    allowNo: true,
  }),
};

const backendKind = {
  options: ['mint', 'broker'] as const,
  description: 'mint: this server issues its tokens; broker: an upstream provider does',
};
const brokerProvider = Flags.string({
  description: 'upstream provider of a broker resource, by id or slug',
  helpValue: '<id|slug>',
});

const looksLikeId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The id of a provider somebody named by either. An empty name is no provider. */
const providerIdOf = async (api: AdminClient, named: string | undefined): Promise<string | undefined> =>
  named === undefined || named === '' || looksLikeId.test(named) ? named : (await api.provider.get({ id: named })).id;

const scopeFlags = {
  scopes: Flags.string({
    description: "a scope as 'name|upstream|description', the last two as you like; repeat for more",
    multiple: true,
    multipleNonGreedy: true,
    helpValue: '<tuple>',
  }),
  'scope-map': Flags.string({ description: 'scopes as name:upstream pairs', helpValue: '<a:b,c:d>' }),
  'scopes-file': Flags.file({
    description: 'JSON array of scopes with name, upstream and description',
    exclusive: ['scopes', 'scope-map'],
    helpValue: '<path>',
  }),
};

const policyFlags = {
  'policy-allowed-clients': listFlag({ description: 'clients that may exchange a token of another for this resource' }),
  'policy-runtime-client-ids': listFlag({ description: 'clients that may act as this resource' }),
  'policy-allowed-return-urls': listFlag({ description: 'where a connect flow for this resource may return' }),
};

type Given<T> = { [K in keyof T]?: string | string[] | undefined };

/** The catalog that was given, or undefined when none was. A name given twice takes the later entry's details. */
const scopesOf = async (flags: Given<typeof scopeFlags>): Promise<Scope[] | undefined> => {
  if (typeof flags['scopes-file'] === 'string') return readScopesFile(flags['scopes-file']);
  const tuples = [flags.scopes ?? []].flat().map(parseScope);
  const mapped = [flags['scope-map'] ?? []].flat().flatMap(parseScopeMap);
  if (tuples.length + mapped.length === 0) return undefined;
  const byName = new Map<string, Scope>();
  for (const scope of [...mapped, ...tuples]) byName.set(scope.name, { ...byName.get(scope.name), ...scope });
  return [...byName.values()];
};

/** `policy` with the lists that were given in place of its own, or undefined when none was. */
const policyOf = (flags: Given<typeof policyFlags>, policy: () => Promise<Policy>): Promise<Policy> | undefined => {
  const allowed = listOf(flags['policy-allowed-clients']);
  const runtime = listOf(flags['policy-runtime-client-ids']);
  const urls = listOf(flags['policy-allowed-return-urls']);
  if (!allowed && !runtime && !urls) return undefined;
  return policy().then((current) => ({
    ...current,
    ...(allowed ? { exchange: { ...current.exchange, allowed_client_ids: allowed } } : {}),
    ...(runtime ? { runtime: { client_ids: runtime } } : {}),
    ...(urls ? { connect: { allowed_return_urls: urls } } : {}),
  }));
};

const summaryOf = ({ id, slug, backend_kind, broker_provider_id, uri, scopes }: Resource) => ({
  id,
  slug,
  backend_kind,
  broker_provider_id,
  uri,
  scopes: scopes.map(({ name, upstream }) => (upstream && upstream !== name ? `${name}->${upstream}` : name)),
});

const list = listCommand({
  summary: 'list resources',
  examples: ['admin resource list', 'admin resource list --json', 'admin resource list --archived'],
  operations: ['resource.list', 'provider.get'],
  flags: {
    'backend-kind': Flags.option({ options: ['mint', 'broker'] as const, description: 'only these' })(),
    'broker-provider': Flags.string({
      description: 'only those of this upstream provider, by id or slug',
      helpValue: '<id|slug>',
    }),
    archived: Flags.boolean({ description: 'those that were deleted and are kept for their history' }),
  },
  ...{ limit: 100, most: 500, none: 'no resources found' },
  list: (api) => api.resource.list,
  input: async (flags, api) => ({
    query: present({
      backend_kind: flags['backend-kind'],
      broker_provider_id: await providerIdOf(api, flags['broker-provider']),
      archived: flags.archived ? ('true' as const) : undefined,
    }),
  }),
  items: (resources) => [resources].flat(),
  values: summaryOf,
});

const get = adminCommand({
  summary: 'show a resource',
  examples: ['admin resource get --slug my-mcp'],
  flags: selector,
  call: (api, flags) => api.resource.get(selected(flags)),
  show: (resource) => [
    [
      pairs(summaryOf(resource)),
      `display_name=${JSON.stringify(resource.display_name)}`,
      pairs({
        dpop_bound_access_tokens_required: resource.dpop_bound_access_tokens_required,
        exchange_clients: resource.policy.exchange.allowed_client_ids,
        exchange_budgets: resource.policy.exchange.budgets?.map(budgetText),
        runtime_clients: resource.policy.runtime.client_ids,
        return_urls: resource.policy.connect?.allowed_return_urls,
        archived_at: resource.archived_at,
      }),
    ].join(' '),
  ],
});

const create = adminCommand({
  summary: 'create a resource, such as an MCP server to protect',
  examples: [
    "admin resource create --slug my-mcp --uri http://localhost:3000/mcp --backend-kind mint --scopes 'tools/read||Read tools' --scopes 'tools/write||Change things'",
    'admin resource create --slug my-mcp --uri http://localhost:3000/mcp --scope-map "tools/read:tools/read,tools/write:tools/write"',
  ],
  flags: {
    slug: Flags.string({ description: 'name in URLs and on the command line', helpValue: '<slug>', required: true }),
    ...detailFlags,
    'backend-kind': Flags.option({ ...backendKind, default: 'mint' })(),
    'broker-provider': brokerProvider,
    ...scopeFlags,
    ...policyFlags,
  },
  call: async (api, flags) => {
    const provider = flags['broker-provider'];
    const byId = provider !== undefined && looksLikeId.test(provider);
    return api.resource.create({
      body: {
        slug: flags.slug,
        backend_kind: flags['backend-kind'],
        ...present({
          [byId ? 'broker_provider_id' : 'broker_provider_slug']: provider,
          uri: flags.uri,
          display_name: flags['display-name'],
          scopes: await scopesOf(flags),
          policy: await policyOf(flags, async () => ({})),
          dpop_bound_access_tokens_required: flags['dpop-required'],
        }),
      },
    });
  },
  show: ({ id, slug }) => [`resource created: ${pairs({ id, slug })}`],
});

const update = adminCommand({
  summary: 'change a resource; what is not given stays, a list that is given replaces the old one',
  examples: [
    "admin resource update --slug my-mcp --scopes 'tools/read||Read tools' --scopes 'tools/delete||Delete tools'",
  ],
  operations: ['resource.update', 'resource.get', 'provider.get'],
  flags: {
    ...selector,
    'new-slug': Flags.string({ description: 'another slug', helpValue: '<slug>' }),
    ...detailFlags,
    'backend-kind': Flags.option(backendKind)(),
    'broker-provider': brokerProvider,
    ...scopeFlags,
    'scopes-clear': Flags.boolean({
      description: 'leave no scope',
      // Not `exclusive`: with `scopes-file` saying it too, the usage line of oclif gets holes.
      relationships: [{ type: 'none', flags: ['scopes', 'scope-map', 'scopes-file'] }],
    }),
    ...policyFlags,
    'policy-clear': Flags.boolean({
      description: 'empty all lists of the policy',
      exclusive: Object.keys(policyFlags),
    }),
  },
  call: async (api, flags) => {
    const body = present({
      slug: flags['new-slug'],
      uri: flags.uri,
      backend_kind: flags['backend-kind'],
      broker_provider_id: await providerIdOf(api, flags['broker-provider']),
      display_name: flags['display-name'],
      scopes: flags['scopes-clear'] ? [] : await scopesOf(flags),
      policy: flags['policy-clear']
        ? {}
        : await policyOf(flags, async () => (await api.resource.get(selected(flags))).policy),
      dpop_bound_access_tokens_required: flags['dpop-required'],
    });
    if (Object.keys(body).length === 0)
      throw usageFailure('nothing to change: give at least one flag besides --slug or --id');
    return api.resource.update({ ...selected(flags), body });
  },
  show: ({ id, slug }) => [`resource updated: ${pairs({ id, slug })}`],
});

const remove = adminCommand({
  summary: 'delete a resource, with all tokens for it; one with a history is archived',
  description:
    'A resource that tokens were issued for, or that users allowed something at, is archived: its slug and URI are free, and `get --id` still shows it. A dry run says what would end.',
  examples: ['admin resource delete --slug my-mcp --dry-run', 'admin resource delete --slug my-mcp --cascade'],
  flags: {
    ...selector,
    cascade: Flags.boolean({ description: 'delete the fronting links that begin or end at it as well' }),
  },
  call: async (api, flags) => {
    const end = await api.resource.delete({ ...selected(flags), query: flags.cascade ? { cascade: 'true' } : {} });
    return { ...present({ id: flags.id, slug: flags.slug }), ...end };
  },
  show: ({ dependents, ...deleted }) => [
    `resource deleted: ${pairs({
      ...deleted,
      links: dependents?.map(({ source_slug, target_slug }) => `${source_slug}->${target_slug}`),
    })}`,
  ],
});

export const resourceCommands = {
  'admin:resource:list': list,
  'admin:resource:get': get,
  'admin:resource:create': create,
  'admin:resource:update': update,
  'admin:resource:delete': remove,
};
