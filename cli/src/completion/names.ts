/**
 * Names of things that are on a server, for a shell that completes the value of a flag. Their owners chose some of them, so
 * what a shell would take for more than a word is not offered, and what is said about one is stripped of what a terminal
 * would obey.
 */
import { type AdminClient, entities, type Operation, pathParams, queryOf } from '@authserver/admin-api';
import type { OperationId } from '../operations.ts';

export type Named = { value: string; about: string };

/** Where the values of a flag or an argument come from. */
export type NameSource =
  | { kind: 'contexts' }
  | { kind: 'audit-actions' }
  | { kind: 'entity'; entity: string; slug: boolean };

/** Flags that are not called after what they name. */
const entityOf: Record<string, string> = {
  'policy-allowed-clients': 'client',
  'policy-runtime-client-ids': 'client',
  source: 'resource',
  target: 'resource',
  kid: 'key',
  'idp-id': 'idp',
};
const bySlug = new Set(['slug', 'resource', 'source', 'target']);

/** The source of the values of a flag of a command, which is made of these operations. */
export const sourceOf = (flag: string, operations: readonly OperationId[]): NameSource | undefined => {
  if (flag === 'context') return { kind: 'contexts' };
  if (flag === 'action') return { kind: 'audit-actions' };
  const own = operations[0]?.split('.')[0] ?? '';
  const entity = flag === 'id' || flag === 'slug' ? ownerOf(own) : (entityOf[flag] ?? camel(flag.replace(/-id$/, '')));
  return entity !== undefined && listOf(entity) ? { kind: 'entity', entity, slug: bySlug.has(flag) } : undefined;
};

/** A policy is one of a resource. */
const ownerOf = (entity: string): string => (entity === 'policy' ? 'resource' : entity);

const camel = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The operation that lists an entity without being told whose. */
const listOf = (entity: string): Operation | undefined => {
  const rows = entities as Record<string, { operations: Record<string, Operation> }>;
  const operation = Object.hasOwn(rows, entity) ? rows[entity]?.operations.list : undefined;
  return operation?.method === 'GET' && pathParams(operation.path).length === 0 ? operation : undefined;
};

const most = 200;

/** @throws whatever the API throws */
export const namesFrom = async (
  { entity, slug }: Extract<NameSource, { kind: 'entity' }>,
  api: AdminClient,
): Promise<Named[]> => {
  const operation = listOf(entity);
  if (!operation) return [];
  const list = (api as unknown as Record<string, Record<string, (input: unknown) => Promise<unknown>>>)[entity]?.list;
  const answer = await list?.('limit' in queryOf(operation).shape ? { query: { limit: most } } : {});
  const items = Array.isArray(answer) ? answer : Object.values(answer ?? {}).find(Array.isArray);
  return ((items ?? []) as Record<string, unknown>[]).map((item) => named(item, slug));
};

const named = (item: Record<string, unknown>, slug: boolean): Named => {
  const value = (slug ? item.slug : undefined) ?? item.id ?? item.client_id ?? item.kid ?? item.jti ?? item.name;
  const about =
    item.name ?? item.email ?? item.display_name ?? item.label ?? (slug ? undefined : item.slug) ?? item.status;
  return { value: String(value ?? ''), about: String(about ?? '') };
};

/** One line each, `value` and `about` with a tab between them, of those that begin with `typed`. */
export const candidates = (names: readonly Named[], typed: string): string =>
  names
    .filter(({ value }) => value.startsWith(typed) && /^[\w.~:/@%+,-]+$/.test(value))
    .map(
      ({ value, about }) =>
        `${value}\t${about
          .replace(/[\p{C}\p{Z}]+/gu, ' ')
          .trim()
          .slice(0, 60)}\n`,
    )
    .join('');
