/** That nothing of the admin API is out of reach of the command line: every command is run, and what it asks for noted. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type AdminClient,
  type AdminTransport,
  createAdminClient,
  entities,
  type Operation,
} from '@authserver/admin-api';
import { type Command, Config, type Interfaces } from '@oclif/core';
import { COMMANDS } from './commands.ts';

const directory = await mkdtemp(join(tmpdir(), 'authserver-reach-'));
after(() => rm(directory, { recursive: true, force: true }));
const file = join(directory, 'object.json');
await writeFile(file, '{}');
process.chdir(directory); // what a command writes goes there
process.stdin.isTTY = false; // a password is not asked for

const operations = Object.entries(entities).flatMap(([entity, row]) =>
  Object.entries<Operation>(row.operations).map(([verb, { method, path, summary }]) => ({
    name: `${entity}.${verb}`,
    isAnotherName: summary.startsWith('Another name of '),
    request: new RegExp(`^${method} ${path.replace(/\{\w+\}/g, '[^/]+')}$`),
    parameters: path.split('{').length,
  })),
);

/** The operation a request is for; `/clients/{id}` is not `/clients/export`, so the one with fewer parameters wins. */
const operationOf = (method: string, path: string): string | undefined =>
  operations.filter(({ request }) => request.test(`${method} ${path}`)).sort((a, b) => a.parameters - b.parameters)[0]
    ?.name;

/** An answer with every member anybody asks for, so that a command of several steps takes all of them. */
const anything: unknown = new Proxy(() => {}, {
  get(_, member) {
    if (member === 'then') return undefined;
    if (member === Symbol.toPrimitive) return () => 'x';
    if (member === Symbol.iterator) return () => [anything][Symbol.iterator]();
    return anything;
  },
  apply: () => anything,
});

type Flags = Record<string, Interfaces.BooleanFlag<boolean> | Interfaces.OptionFlag<unknown>>;
type Performs = { parse: Command['parse']; perform(api: AdminClient, flags: Flags): Promise<unknown> };
type AnyCommand = (new (argv: string[], config: Config) => Command & Performs) & { flags: Flags; examples: string[] };

/** Values as a person would give them, where not every word will do. */
const values: Record<string, string> = { overlap: '60', since: '1h', until: '1h', 'expires-in': '1h', scope: 'a' };

const wordsOf = (name: string, flag: Flags[string] | undefined): string[] => {
  if (flag?.type !== 'option') return [`--${name}`];
  if (flag.options?.[0] !== undefined) return [`--${name}`, flag.options[0]];
  return [`--${name}`, values[name] ?? (/file|data/.test(name) ? file : '1')];
};

/** The words of an example, without the name of the program, the command and what the shell redirects. */
const wordsOfExample = (example: string, id: string): string[] =>
  [...example.replace(/ [<|] [^<>]*$/, '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)]
    .map(([, single, double, plain]) => single ?? double ?? plain ?? '')
    .map((word) => (word.endsWith('.json') ? file : word))
    .slice(3 + id.split(':').length);

/** The command as its examples show it, with what it must be given, and with each of its other flags. */
const commandLines = (id: string, command: AnyCommand): string[][] => {
  const flags = Object.entries(command.flags ?? {}).filter(([name]) => !/stdin$/.test(name));
  const required = flags.filter(([, flag]) => flag.required).flatMap(([name, flag]) => wordsOf(name, flag));
  return [
    ...command.examples
      .map((example) => wordsOfExample(example, id))
      .filter((words) => !words.some((word) => word === '-' || /stdin$/.test(word))),
    required,
    ...flags.filter(([, flag]) => !flag.required).map(([name, flag]) => [...required, ...wordsOf(name, flag)]),
  ];
};

const config = await Config.load({ root: fileURLToPath(new URL('..', import.meta.url)) });

/** The operations a command asks for, however it is called. */
const askedBy = async (id: string, command: AnyCommand): Promise<Set<string>> => {
  const asked = new Set<string>();
  let left = 100;
  const transport: AdminTransport = async ({ method, path }) => {
    left -= 1;
    if (left < 0) throw new Error('it asks on and on, because every page has a next one');
    asked.add(operationOf(method, path) ?? `${method} ${path}`);
    return { status: 200, body: anything };
  };
  class Recorded extends command {
    override async run(): Promise<unknown> {
      const { flags } = await this.parse(command);
      return this.perform(createAdminClient({ transport }), flags);
    }
    override log(): void {}
    override logToStderr(): void {}
  }
  for (const words of commandLines(id, command)) {
    left = 100;
    await new Recorded(words, config).run().catch(() => {}); // its answer is made up
  }
  return asked;
};

const adminCommands = Object.entries(COMMANDS).filter(
  ([id, command]) => id.startsWith('admin:') && 'perform' in command.prototype,
);
const askedByCommand = new Map<string, Set<string>>();
for (const [id, command] of adminCommands) askedByCommand.set(id, await askedBy(id, command as unknown as AnyCommand));

test('every command asks for an operation of the table', () => {
  const names = new Set(operations.map(({ name }) => name));
  for (const [id, asked] of askedByCommand) {
    assert.ok(asked.size > 0, `${id.replaceAll(':', ' ')} asks for nothing`);
    for (const name of asked) assert.ok(names.has(name), `${id.replaceAll(':', ' ')} asks for ${name}`);
  }
});

test('every operation of the admin API is asked for by a command', () => {
  const reached = new Set([...askedByCommand.values()].flatMap((asked) => [...asked]));
  assert.deepEqual(
    operations.filter(({ name, isAnotherName }) => !reached.has(name) && !isAnotherName).map(({ name }) => name),
    [],
  );
});
