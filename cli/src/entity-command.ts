/**
 * A command for an operation of the table, with its path parameters and the members of its query and its body as flags.
 * It is what an operation has until somebody writes a better one by hand.
 */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { type AdminClient, entities, type Operation, pathParams } from '@authserver/admin-api';
import { Flags, type Interfaces } from '@oclif/core';
import { z } from 'zod';
import { adminCommand } from './admin-command.ts';
import { usageFailure } from './failure.ts';
import { listFlag, listOf, present } from './flags.ts';
import { commandIdOf, type OperationId, operationOf } from './operations.ts';
import { pairs, rows, type Value } from './output.ts';

type Values = Record<string, unknown>;
type Call = (input: Values) => Promise<unknown>;

export const entityCommand = (id: OperationId) => {
  const operation = operationOf(id);
  const [entity = '', verb = ''] = id.split('.');
  const path = pathParams(operation.path);
  const query = membersOf(operation.query).filter(({ name }) => name !== 'dry_run');
  const body = membersOf(operation.body).filter(({ name }) => !path.includes(name));
  const words = commandIdOf(id).replaceAll(':', ' ');
  const required = path.map((name) => ` --${kebab(name)} <${name}>`).join('');
  const { title } = (entities as Record<string, { title: string }>)[entity] ?? { title: entity };

  return adminCommand({
    operations: [id],
    summary: fragment(operation.summary),
    examples: [`${words}${required}${operation.body ? ' --data body.json' : ''}`],
    flags: {
      ...Object.fromEntries(path.map((name) => [kebab(name), pathFlag(name)])),
      ...Object.fromEntries(
        [...query, ...body.filter(isShowable)].map((member) => [kebab(member.name), flagOf(member)]),
      ),
      ...(operation.body
        ? {
            data: Flags.string({
              description: 'file with the body as JSON, or - for standard input; flags go before its members',
              helpValue: '<file>',
            }),
          }
        : {}),
    } as Interfaces.FlagInput,
    async call(api: AdminClient, flags: Values) {
      const call = (api as unknown as Record<string, Record<string, Call>>)[entity]?.[verb] as Call;
      const given = present(valuesOf(body, flags));
      const data = flags.data === undefined ? undefined : await readData(String(flags.data));
      const sent = mergedBody(operation, data, given);
      return call({
        ...Object.fromEntries(path.map((name) => [name, flags[kebab(name)]])),
        query: present(valuesOf(query, flags)),
        ...(sent === undefined ? {} : { body: sent }),
      });
    },
    show: (result: unknown, flags: Values) =>
      result === undefined
        ? [
            `${words.replace(/^admin /, '')} done: ${pairs(Object.fromEntries(path.map((name) => [name, flags[kebab(name)] as Value])))}`,
          ]
        : linesOf(result, `no ${title.toLowerCase()} found`),
    ...(operation.secret ? { remark: () => 'The secret is shown this once; only its hash is kept.' } : {}),
  });
};

type Schema = {
  type?: string;
  enum?: unknown[];
  items?: Schema;
  description?: string;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
};
type Member = { name: string; schema: Schema };

/** The members of an object schema as a caller may give them; none of any other schema. */
const membersOf = (schema: z.ZodType | undefined): Member[] => {
  if (!schema) return [];
  const document = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
  const { properties = {} } = resolve(document, document);
  return Object.entries(properties).map(([name, member]) => ({ name, schema: resolve(member, document) }));
};

/** Without references, and without the null an optional value may be. */
const resolve = (schema: Schema, document: Schema): Schema => {
  const { $ref, ...rest } = schema;
  if ($ref !== undefined)
    return { ...resolve(document.$defs?.[$ref.replace('#/$defs/', '')] ?? {}, document), ...rest };
  const [only, ...others] = (schema.anyOf ?? schema.oneOf ?? schema.allOf ?? []).filter(({ type }) => type !== 'null');
  return only && others.length === 0 ? { ...resolve(only, document), ...rest } : schema;
};

/** A secret in the arguments of a command is in the list of processes. It goes through `--data`. */
const isShowable = ({ name }: Member): boolean => !/secret|password|api_key|credential|private/i.test(name);

const flagOf = ({ name, schema }: Member) => {
  const description = fragment(schema.description ?? name.replaceAll('_', ' '));
  const names = schema.enum?.filter((value) => typeof value === 'string');
  if (names?.join() === 'true,false' || schema.type === 'boolean') return Flags.boolean({ description, allowNo: true });
  if (names && names.length > 0) return Flags.string({ description, options: names as string[] });
  if (schema.type === 'integer') return Flags.integer({ description, helpValue: '<n>' });
  if (isList(schema)) return listFlag({ description });
  return Flags.string({ description, helpValue: schema.type === 'string' ? `<${kebab(name)}>` : '<json>' });
};

const isList = ({ type, items }: Schema): boolean =>
  type === 'array' && (items?.type === 'string' || items?.enum !== undefined);

const pathFlag = (name: string) =>
  Flags.string({
    description: `${name.replaceAll('_', ' ')} of what it is about`,
    helpValue: `<${name}>`,
    required: true,
  });

const valuesOf = (members: readonly Member[], flags: Values): Values =>
  Object.fromEntries(members.map((member) => [member.name, valueFor(member, flags[kebab(member.name)])]));

const valueFor = ({ name, schema }: Member, given: unknown): unknown => {
  if (given === undefined) return undefined;
  if (isList(schema)) return listOf(given as string[]);
  if (typeof given !== 'string' || schema.type === 'string' || schema.enum) return given;
  return parseJson(given, `--${kebab(name)}`);
};

const mergedBody = ({ body }: Operation, data: unknown, given: Values): unknown => {
  if (!body) return undefined;
  const members = Object.keys(given).length > 0;
  if (data === undefined) return members || !body.safeParse(undefined).success ? given : undefined;
  if (!members) return data;
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw usageFailure('--data is no JSON object, so no other flag can add to it');
  return { ...data, ...given };
};

const readData = async (path: string): Promise<unknown> => {
  const read = path === '-' ? text(process.stdin) : readFile(path, 'utf8');
  return parseJson(
    await read.catch(() => {
      throw usageFailure(`--data: ${path} cannot be read`);
    }),
    '--data',
  );
};

const parseJson = (json: string, flag: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    throw usageFailure(`${flag} is not JSON`);
  }
};

const linesOf = (result: unknown, none: string): string[] => {
  if (Array.isArray(result)) return rows(result, none, valuesToShow);
  if (typeof result !== 'object' || result === null) return [String(result)];
  const lists = Object.entries(result).filter(([, value]) => Array.isArray(value) && value.some(isObject));
  const own = Object.fromEntries(Object.entries(result).filter(([name]) => !lists.some(([list]) => list === name)));
  const first = Object.keys(own).length > 0 ? [pairs(valuesToShow(own))] : [];
  return [...first, ...lists.flatMap(([name, list]) => [`${name}:`, ...rows(list as unknown[], none, valuesToShow)])];
};

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** What is deeper than a line can show is JSON. */
const valuesToShow = (item: unknown): Record<string, Value> =>
  isObject(item)
    ? Object.fromEntries(Object.entries(item as Values).map(([name, value]) => [name, valueToShow(value)]))
    : { value: String(item) };

const valueToShow = (value: unknown): Value =>
  !isObject(value) || (Array.isArray(value) && !value.some(isObject)) ? (value as Value) : JSON.stringify(value);

const kebab = (name: string): string => name.replaceAll('_', '-');

/** `List clients.` becomes `list clients`. */
const fragment = (sentence: string): string =>
  sentence.replace(/\.$/, '').replace(/^([A-Z])(?=[a-z ])/, (letter) => letter.toLowerCase());
