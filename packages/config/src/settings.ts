import { z } from 'zod';
import type { SettingMeta } from './leaf.ts';

/** The prefix of every environment variable we read. */
export const envPrefix = 'AUTHPLANE_';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One leaf of the schema. */
export interface Setting {
  path: readonly string[];
  /** The path as written in messages: `server.issuer`. */
  key: string;
  /** Full environment name, or undefined when the setting has none. */
  env: string | undefined;
  kind: string;
  /** Default as an operator would write it. */
  fallback: unknown;
  description: string;
  secret: boolean;
  reserved: boolean;
  schema: z.ZodType;
}

/** Every setting under `schema`, in the order of the schema. What a section is (reserved), its members are. */
export function settingsOf(schema: z.ZodType, path: readonly string[] = [], reserved = false): Setting[] {
  const meta = (schema.meta() ?? {}) as Partial<SettingMeta>;
  const isReserved = reserved || meta.reserved === true;
  const inner = withoutDefault(schema);
  if (meta.kind === undefined && inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([name, member]) =>
      settingsOf(member as z.ZodType, [...path, name], isReserved),
    );
  }
  const env = meta.env ?? path.join('_').toUpperCase();
  return [
    {
      path,
      key: path.join('.'),
      env: env === false ? undefined : envPrefix + env,
      kind: meta.kind ?? 'list of objects',
      fallback: meta.fallback,
      description: meta.description ?? '',
      secret: meta.secret === true,
      reserved: isReserved,
      schema,
    },
  ];
}

/** The names an object at `path` may have, or undefined when there is no object there. Numbers step into lists. */
export function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] | undefined {
  const inner = withoutDefault(schema);
  const [step, ...rest] = path;
  if (inner instanceof z.ZodArray) return step === undefined ? undefined : namesAt(inner.element as z.ZodType, rest);
  if (!(inner instanceof z.ZodObject)) return undefined;
  if (step === undefined) return Object.keys(inner.shape);
  const member = inner.shape[String(step)] as z.ZodType | undefined;
  return member && namesAt(member, rest);
}

/** The element schema of a list of objects. */
export function elementOf(schema: z.ZodType): z.ZodType | undefined {
  const inner = withoutDefault(schema);
  return inner instanceof z.ZodArray ? (inner.element as z.ZodType) : undefined;
}

function withoutDefault(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault
    ? withoutDefault(schema.unwrap() as z.ZodType)
    : schema;
}
