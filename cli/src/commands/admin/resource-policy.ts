import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { type Budget, budgetPairs } from '../../budgets.ts';
import { present } from '../../flags.ts';
import type { OperationId } from '../../operations.ts';
import { pairs, rows } from '../../output.ts';

type Policy = AdminClient['policy'];
type Clients = Record<string, string[]>;

const slug = Flags.string({ description: 'slug of the resource', helpValue: '<slug>', required: true });
const clientId = Flags.string({ description: 'id of the client', helpValue: '<id>', required: true });
const url = Flags.string({
  description: 'an exact URL, or http://localhost: for any port and path there',
  helpValue: '<url>',
  required: true,
});

/** List, add and remove for one list of clients of a resource's policy. Each answers with the whole list. */
const clientList = (list: {
  topic: 'exchange' | 'runtime';
  /** What the clients of the list may do. */
  may: string;
  /** The three commands are also known under this topic. */
  alias?: string;
  operations: Record<'list' | 'add' | 'remove', OperationId>;
  read(policy: Policy, slug: string): Promise<Clients>;
  add(policy: Policy, slug: string, clientId: string): Promise<Clients>;
  remove(policy: Policy, slug: string, clientId: string): Promise<Clients>;
}) => {
  const { topic, may } = list;
  const aliasOf = (verb: string) => (list.alias ? { hiddenAliases: [`${list.alias}:${verb}`] } : {});
  const example = (verb: string, flags = '') => `admin resource policy ${topic} ${verb} --slug my-mcp${flags}`;
  const change = (verb: 'add' | 'remove', done: string, summary: string) =>
    adminCommand({
      summary,
      examples: [example(verb, ' --client-id <client_id>')],
      ...aliasOf(verb),
      operations: [list.operations[verb]],
      flags: { slug, 'client-id': clientId },
      call: (api, flags) => list[verb](api.policy, flags.slug, flags['client-id']),
      show: (clients, flags) => [
        `${topic} client ${done}: ${pairs({ slug: flags.slug, client_id: flags['client-id'], ...clients })}`,
      ],
    });

  return {
    list: adminCommand({
      summary: `list the clients that may ${may}`,
      examples: [example('list')],
      ...aliasOf('list'),
      operations: [list.operations.list],
      flags: { slug },
      call: (api, flags) => list.read(api.policy, flags.slug),
      show: (clients, flags) => [pairs({ slug: flags.slug, ...clients })],
    }),
    add: change('add', 'added', `let a client ${may}`),
    remove: change('remove', 'removed', `no longer let a client ${may}`),
  };
};

const exchange = clientList({
  topic: 'exchange',
  may: 'exchange a token of another client for a resource',
  operations: {
    list: 'policy.listExchangeClients',
    add: 'policy.addExchangeClient',
    remove: 'policy.removeExchangeClient',
  },
  read: (policy, slug) => policy.listExchangeClients({ slug }),
  add: (policy, slug, client_id) => policy.addExchangeClient({ slug, body: { client_id } }),
  remove: (policy, slug, client_id) => policy.removeExchangeClient({ slug, client_id }),
});

const runtime = clientList({
  topic: 'runtime',
  may: 'act as a resource',
  alias: 'admin:resource:runtime-client',
  operations: {
    list: 'policy.listRuntimeClients',
    add: 'policy.addRuntimeClient',
    remove: 'policy.removeRuntimeClient',
  },
  read: (policy, slug) => policy.listRuntimeClients({ slug }),
  add: (policy, slug, client_id) => policy.addRuntimeClient({ slug, body: { client_id } }),
  remove: (policy, slug, client_id) => policy.removeRuntimeClient({ slug, client_id }),
});

const whose = {
  'client-id': Flags.string({
    description: 'whose budget: who asks for the exchange, or acts in it',
    helpValue: '<id>',
    exactlyOne: ['client-id', 'default'],
  }),
  default: Flags.boolean({ description: 'that of every client without one of its own' }),
};
const limitFlag = (description: string, helpValue: string) => Flags.integer({ description, helpValue, min: 1 });
const budgetLines = ({ slug }: { slug: string }, { budgets }: { budgets: readonly Budget[] }): string[] =>
  rows(budgets, 'no budgets found', (budget) => ({ slug, ...budgetPairs(budget) }));
const named = ({ slug, 'client-id': client_id }: { slug: string; 'client-id'?: string | undefined }): string =>
  pairs({ slug, client_id: client_id ?? 'default' });

const budgetList = adminCommand({
  summary: 'list what clients may exchange for a resource before the user is asked again',
  examples: ['admin resource policy exchange budget list --slug my-mcp'],
  operations: ['policy.listExchangeBudgets'],
  flags: { slug },
  call: (api, flags) => api.policy.listExchangeBudgets({ slug: flags.slug }),
  show: (answer, flags) => budgetLines(flags, answer),
});

const budgetSet = adminCommand({
  summary: 'limit what a client may exchange for a resource before the user is asked again',
  description:
    'What is not given is not limited. The budget of a client stands in the place of the default, and takes nothing from it.',
  examples: [
    'admin resource policy exchange budget set --slug my-mcp --client-id <client_id> --max-uses 5 --max-lifetime 3600',
    'admin resource policy exchange budget set --slug my-mcp --default --max-uses 100 --max-depth 2',
  ],
  operations: ['policy.setExchangeBudget'],
  flags: {
    slug,
    ...whose,
    'max-uses': limitFlag('exchanges since the user last consented', '<n>'),
    'max-lifetime': limitFlag('seconds since the user last consented; no token lives longer', '<seconds>'),
    'max-depth': limitFlag('length of the chain of a new token, in exchanges or actors', '<n>'),
  },
  call: (api, flags) =>
    api.policy.setExchangeBudget({
      slug: flags.slug,
      body: present({
        client_id: flags['client-id'],
        max_uses: flags['max-uses'],
        max_lifetime: flags['max-lifetime'],
        max_depth: flags['max-depth'],
      }),
    }),
  show: (answer, flags) => [`budget set: ${named(flags)}`, ...budgetLines(flags, answer)],
});

const budgetRemove = adminCommand({
  summary: 'no longer limit what a client may exchange for a resource',
  examples: ['admin resource policy exchange budget remove --slug my-mcp --client-id <client_id>'],
  operations: ['policy.removeExchangeBudget'],
  flags: { slug, ...whose },
  call: (api, flags) =>
    api.policy.removeExchangeBudget({ slug: flags.slug, query: present({ client_id: flags['client-id'] }) }),
  show: (answer, flags) => [`budget removed: ${named(flags)}`, ...budgetLines(flags, answer)],
});

const connectList = adminCommand({
  summary: 'list the URLs a connect flow for a resource may return to',
  examples: ['admin resource policy connect list --slug my-mcp'],
  operations: ['policy.listReturnUrls'],
  flags: { slug },
  call: (api, flags) => api.policy.listReturnUrls({ slug: flags.slug }),
  show: (urls, flags) => [pairs({ slug: flags.slug, ...urls })],
});

const connectAdd = adminCommand({
  summary: 'allow a return URL',
  examples: ['admin resource policy connect add --slug my-mcp --url https://app.example.com/connected'],
  operations: ['policy.addReturnUrl'],
  flags: { slug, url },
  call: (api, flags) => api.policy.addReturnUrl({ slug: flags.slug, body: { url: flags.url } }),
  show: (urls, flags) => [`return URL added: ${pairs({ slug: flags.slug, url: flags.url, ...urls })}`],
});

const connectRemove = adminCommand({
  summary: 'no longer allow a return URL',
  examples: ['admin resource policy connect remove --slug my-mcp --url https://app.example.com/connected'],
  operations: ['policy.removeReturnUrl'],
  flags: { slug, url },
  call: (api, flags) => api.policy.removeReturnUrl({ slug: flags.slug, query: { url: flags.url } }),
  show: (urls, flags) => [`return URL removed: ${pairs({ slug: flags.slug, url: flags.url, ...urls })}`],
});

export const resourcePolicyCommands = {
  'admin:resource:policy:exchange:list': exchange.list,
  'admin:resource:policy:exchange:add': exchange.add,
  'admin:resource:policy:exchange:remove': exchange.remove,
  'admin:resource:policy:exchange:budget:list': budgetList,
  'admin:resource:policy:exchange:budget:set': budgetSet,
  'admin:resource:policy:exchange:budget:remove': budgetRemove,
  'admin:resource:policy:runtime:list': runtime.list,
  'admin:resource:policy:runtime:add': runtime.add,
  'admin:resource:policy:runtime:remove': runtime.remove,
  'admin:resource:policy:connect:list': connectList,
  'admin:resource:policy:connect:add': connectAdd,
  'admin:resource:policy:connect:remove': connectRemove,
};
