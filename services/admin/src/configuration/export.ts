import { isDeepStrictEqual } from 'node:util';
import type { DeclarationKind } from '@authserver/admin-api';
import type { Repositories } from '@authserver/store';
import { withoutDefaults } from './compare.ts';
import { type Found, type Kind, pageSize } from './kind.ts';

export type Exported = { configuration: Record<string, Record<string, unknown>[]>; warnings: string[] };

/** What files would have to say so that an empty server becomes like this one: in one order, and as short as possible. */
export const exportConfiguration = async (
  store: Repositories,
  kinds: readonly Kind[],
  { owner }: { owner?: string | undefined },
): Promise<Exported> => {
  const configuration: Exported['configuration'] = {};
  const warnings: string[] = [];
  const exported = new Map<DeclarationKind, Set<string>>();
  const found: { kind: Kind; one: Found }[] = [];
  for (const kind of kinds) {
    const owned = owner === undefined ? undefined : await keysOf(store, kind, owner);
    const keys = new Set<string>();
    for await (const page of kind.pages(store))
      for (const one of page) {
        if (owned && owned.get(one.key) !== one.identity) continue;
        if (one.refusal !== undefined) {
          warnings.push(`${kind.name} ${one.key}: is left out: it ${one.refusal}`);
          continue;
        }
        if (one.leavesOut !== undefined) warnings.push(`${kind.name} ${one.key}: ${one.leavesOut}`);
        found.push({ kind, one });
        keys.add(one.key);
      }
    exported.set(kind.name, keys);
  }
  for (const kind of kinds) {
    const declarations = found
      .filter((entry) => entry.kind === kind)
      .map(({ one }) => one)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const { key, declaration } of declarations)
      for (const { member, kind: other, key: name } of kind.references(declaration))
        if (!exported.get(other)?.has(name))
          warnings.push(
            `${kind.name} ${key}: ${member} names the ${other.replaceAll('_', ' ')} ${name}, which is not exported`,
          );
    if (declarations.length > 0)
      configuration[kind.list] = declarations.map(({ declaration }) => shortest(kind, declaration));
  }
  return { configuration, warnings };
};

const shortest = (kind: Kind, declaration: Found['declaration']): Record<string, unknown> => {
  const { status, ...rest } = withoutDefaults(kind.schema, declaration);
  const said = status === undefined || status === 'active' ? rest : { ...rest, status };
  const { normal } = kind;
  if (!normal) return said;
  // A member that follows from the others need not be said either.
  const isSaid = (member: string): boolean => {
    const { [member]: _, ...others } = said;
    const parsed = kind.schema.safeParse(others);
    return !parsed.success || !isDeepStrictEqual(normal(parsed.data), normal(declaration));
  };
  return Object.fromEntries(Object.entries(said).filter(([member]) => isSaid(member)));
};

const keysOf = async (store: Repositories, kind: Kind, owner: string): Promise<Map<string, string>> => {
  const keys = new Map<string, string>();
  for (let offset = 0; ; offset += pageSize) {
    const rows = await store.configurationOwners.list({ owner, kind: kind.name }, { limit: pageSize, offset });
    for (const { key, identity } of rows) keys.set(key, identity);
    if (rows.length < pageSize) return keys;
  }
};
