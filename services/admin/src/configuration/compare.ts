import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { Declaration } from './kind.ts';

export type MemberChange = { member: string; from?: unknown; to?: unknown };

/** What has to become different, member by member; `optional` ones only where they are mentioned. */
export const differences = (before: Declaration, after: Declaration, optional: readonly string[]): MemberChange[] => {
  const old = new Map(leaves(before));
  const wanted = new Map(leaves(after));
  return [...new Set([...old.keys(), ...wanted.keys()])].flatMap((member) => {
    const [from, to] = [old.get(member), wanted.get(member)];
    if (isDeepStrictEqual(from, to)) return [];
    const top = topOf(member);
    if (optional.includes(top) && (!(top in after) || !(top in before))) return [];
    return [{ member, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }];
  });
};

/** The member of the declaration itself that a change is in. */
export const topOf = (member: string): string => member.split('.', 1)[0] ?? member;

/** Objects are compared member by member; a list is one value. */
const leaves = (value: Record<string, unknown>, path = ''): [string, unknown][] =>
  Object.entries(value).flatMap(([name, member]): [string, unknown][] => {
    if (member === undefined) return [];
    const full = path === '' ? name : `${path}.${name}`;
    return isObject(member) && Object.keys(member).length > 0 ? leaves(member, full) : [[full, member]];
  });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A declaration without what it would say by saying nothing, so that a file is as short as it can be. */
export const withoutDefaults = (schema: z.ZodObject, declaration: Declaration): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(schema.shape).flatMap((member) => {
      const type = schema.shape[member] as z.ZodType;
      const value = declaration[member];
      if (value === undefined) return [];
      const unsaid = type.safeParse(undefined);
      if (unsaid.success && isDeepStrictEqual(unsaid.data, value)) return [];
      return [[member, shorten(type, value)]];
    }),
  );

/** The same for what is inside of objects and lists. */
const shorten = (type: z.ZodType, value: unknown): unknown => {
  const { def } = type as unknown as {
    def: { type: string; innerType?: z.ZodType; in?: z.ZodType; element?: z.ZodType };
  };
  const inner = def.innerType ?? def.in;
  if (inner) return shorten(inner, value);
  if (def.type === 'array' && def.element && Array.isArray(value)) {
    const { element } = def;
    return value.map((item) => shorten(element, item));
  }
  if (def.type === 'object' && isObject(value)) return withoutDefaults(type as z.ZodObject, value);
  return value;
};
