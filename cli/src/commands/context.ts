import { text } from 'node:stream/consumers';
import { Args, Flags, type Interfaces } from '@oclif/core';
import { CliCommand } from '../cli-command.ts';
import { type Context, type Contexts, isContextName, readContexts, writeContexts } from '../contexts/file.ts';
import { CommandFailure, exitCodes, usageFailure } from '../failure.ts';
import { pairs, rows } from '../output.ts';

/** Commands on the contexts file. Each gets what is in it, and says what is in it afterwards when it changed. */
type Definition<F extends Interfaces.FlagInput, A extends Interfaces.ArgInput, Result> = {
  summary: string;
  description?: string;
  example: string;
  flags?: F;
  args?: A;
  run(
    contexts: Contexts,
    input: { flags: Interfaces.InferredFlags<F>; args: Interfaces.InferredArgs<A> },
  ): Promise<{ result: Result; changed?: Contexts }>;
  show(result: Result): readonly string[];
  remark?(result: Result): string | undefined;
};

const contextCommand = <F extends Interfaces.FlagInput, A extends Interfaces.ArgInput, Result>(
  definition: Definition<F, A, Result>,
) =>
  class extends CliCommand {
    static override summary = definition.summary;
    static override description = definition.description;
    static override examples = [`<%= config.bin %> ${definition.example}`];
    static override baseFlags = {} as typeof CliCommand.baseFlags;
    static override flags = definition.flags ?? {};
    static override args = definition.args ?? {};

    async run(): Promise<Result> {
      const { flags, args } = await this.parse(this.ctor);
      const input = { flags, args } as Parameters<(typeof definition)['run']>[1];
      const { result, changed } = await definition.run(await readContexts(process.env), input);
      if (changed) await writeContexts(process.env, changed);
      for (const line of definition.show(result)) this.log('%s', line);
      const remark = definition.remark?.(result);
      if (remark !== undefined) this.logToStderr('%s', remark);
      return result;
    }
  };

const nameArg = (description: string) => Args.string({ description, required: true });

/** A context as it is shown: where its key comes from, never the key. */
const shown = (name: string, { admin_url, key, key_env, key_file }: Context, current: string | undefined) => ({
  name,
  admin_url,
  key:
    key !== undefined
      ? 'stored'
      : key_env !== undefined
        ? `env:${key_env}`
        : key_file !== undefined
          ? `file:${key_file}`
          : 'environment',
  current: name === current,
});

const existing = ({ contexts }: Contexts, name: string): Context => {
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context) return context;
  throw new CommandFailure(
    'not_found',
    exitCodes.notFound,
    `there is no context ${pairs({ name }).slice('name='.length)}`,
  );
};

const list = contextCommand({
  summary: 'list the servers that have a name',
  example: 'context list',
  run: async ({ contexts, current }) => ({
    result: Object.entries(contexts).map(([name, context]) => shown(name, context, current)),
  }),
  show: (contexts) => rows(contexts, 'no contexts found', (context) => context),
});

const show = contextCommand({
  summary: 'show one server, or the one in use',
  example: 'context show production',
  args: { name: Args.string({ description: 'name of the server; the one in use when left out' }) },
  run: async (contexts, { args }) => {
    const name = args.name ?? contexts.current;
    if (name === undefined) throw new CommandFailure('not_found', exitCodes.notFound, 'no context is in use');
    return { result: shown(name, existing(contexts, name), contexts.current) };
  },
  show: (context) => [pairs(context)],
});

const add = contextCommand({
  summary: 'give a server a name, and say where its admin API key comes from',
  description:
    'The key itself is best kept elsewhere: in an environment variable or in a file only you can read. With --key-stdin it is kept in the file of contexts, which nobody else can read. Without any of them it comes from AUTHPLANE_ADMIN_API_KEY, as without contexts.',
  example: 'context add production --admin-url https://auth-admin.example.com --key-env PRODUCTION_ADMIN_KEY --use',
  args: { name: nameArg('name of the server: letters, digits, dots, dashes and underscores') },
  flags: {
    'admin-url': Flags.string({ description: 'its admin service', helpValue: '<url>', required: true }),
    'key-env': Flags.string({
      description: 'environment variable that holds the key',
      helpValue: '<name>',
      exclusive: ['key-file', 'key-stdin'],
    }),
    'key-file': Flags.string({
      description: 'file that holds the key',
      helpValue: '<path>',
      exclusive: ['key-env', 'key-stdin'],
    }),
    'key-stdin': Flags.boolean({ description: 'read the key from standard input, and keep it' }),
    replace: Flags.boolean({ description: 'even if there is one of this name' }),
    use: Flags.boolean({ description: 'and use it from now on' }),
  },
  async run(contexts, { args: { name }, flags }) {
    if (!isContextName(name))
      throw usageFailure(
        'a name has letters, digits, dots, dashes and underscores, 64 at most, and begins with a letter or digit',
      );
    if (Object.hasOwn(contexts.contexts, name) && !flags.replace)
      throw new CommandFailure(
        'conflict',
        exitCodes.conflict,
        `there is a context ${name} already; replace it with --replace`,
      );
    const { parseAdminUrl } = await import('../http-transport.ts');
    const context: Context = {
      admin_url: parseAdminUrl(flags['admin-url']).href.replace(/\/$/, ''),
      ...(await keySource(flags)),
    };
    const changed = { ...contexts, contexts: { ...contexts.contexts, [name]: context } };
    if (flags.use) changed.current = name;
    return { result: shown(name, context, changed.current), changed };
  },
  show: (context) => [`context added: ${pairs(context)}`],
  remark: ({ admin_url }) =>
    isInTheClear(new URL(admin_url)) ? 'The key travels unencrypted to an http URL.' : undefined,
});

type KeyFlags = { 'key-env'?: string | undefined; 'key-file'?: string | undefined; 'key-stdin': boolean };

const keySource = async (flags: KeyFlags): Promise<Omit<Context, 'admin_url'>> => {
  const { resolve } = await import('node:path');
  if (flags['key-env'] !== undefined) {
    if (!/^[A-Za-z_]\w*$/.test(flags['key-env']))
      throw usageFailure('--key-env takes the name of an environment variable');
    return { key_env: flags['key-env'] };
  }
  if (flags['key-file'] !== undefined) return { key_file: resolve(flags['key-file']) };
  if (!flags['key-stdin']) return {};
  const key = (await text(process.stdin)).trim();
  if (!/^[\x21-\x7e]+$/.test(key)) throw usageFailure('there is no key on standard input');
  return { key };
};

const isInTheClear = ({ protocol, hostname }: URL): boolean =>
  protocol === 'http:' && hostname !== 'localhost' && hostname !== '[::1]' && !/^127(\.\d+){3}$/.test(hostname);

const use = contextCommand({
  summary: 'work with this server from now on',
  description:
    'Until another is used, commands on the admin API go there, unless a flag or the environment says otherwise.',
  example: 'context use production',
  args: { name: nameArg('name of the server') },
  run: async (contexts, { args: { name } }) => {
    const result = shown(name, existing(contexts, name), name);
    return { result, changed: { ...contexts, current: name } };
  },
  show: (context) => [`context in use: ${pairs(context)}`],
});

const remove = contextCommand({
  summary: 'forget a server',
  example: 'context remove production',
  args: { name: nameArg('name of the server') },
  run: async ({ contexts, current }, { args: { name } }) => {
    existing({ contexts }, name);
    const { [name]: _, ...others } = contexts;
    return {
      result: { name },
      changed: { ...(current === undefined || current === name ? {} : { current }), contexts: others },
    };
  },
  show: ({ name }) => [`context removed: ${pairs({ name })}`],
});

export const contextCommands = {
  'context:list': list,
  'context:show': show,
  'context:add': add,
  'context:use': use,
  'context:remove': remove,
};
