/** A configuration before it is checked: what YAML and the environment say. */
export type Tree = Record<string, unknown>;

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value at `path`, or undefined. */
export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let value = tree;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** Sets the value at `path`, making the groups on the way. Does nothing where the file has something else than a group. */
export function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  let group = tree;
  for (const step of path.slice(0, -1)) {
    if (!Object.hasOwn(group, step)) group[step] = {};
    const next = group[step];
    if (!isTree(next)) return;
    group = next;
  }
  const last = path.at(-1);
  if (last !== undefined) group[last] = value;
}

/** Removes what is at `path`. */
export function deleteAt(tree: Tree, path: readonly PropertyKey[]): void {
  const group = valueAt(tree, path.slice(0, -1));
  const last = path.at(-1);
  if (isTree(group) && last !== undefined) delete group[String(last)];
}

/** A copy in which a key without a value (`server:` and nothing under it) is as if it were not there. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isTree(value)) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member)]));
}
