/** A list longer than this is hard to read in one go. */
const readable = 8;

export type ScopeGroup<Scope> = {
  /** What the names begin with; `undefined` for those that share their beginning with no other. */
  prefix: string | undefined;
  scopes: Scope[];
};

/**
 * Long lists in groups, by what stands before the first `:`, `.` or `/` of a name: that is how resources name their
 * scopes. Short lists, and lists that fall into no groups, stay one. The order within a group is that of the list.
 */
export const groupScopes = <Scope extends { name: string }>(scopes: readonly Scope[]): ScopeGroup<Scope>[] => {
  const whole = [{ prefix: undefined, scopes: [...scopes] }];
  if (scopes.length <= readable) return whole;
  const byPrefix = Map.groupBy(scopes, ({ name }) => /^([^:./]+)[:./]/.exec(name)?.[1] ?? '');
  const groups = [...byPrefix].filter(([prefix, members]) => prefix !== '' && members.length > 1);
  if (groups.length < 2) return whole;
  const grouped = new Set(groups.map(([prefix]) => prefix));
  const rest = [...byPrefix].filter(([prefix]) => !grouped.has(prefix)).flatMap(([, members]) => members);
  return [
    ...groups.map(([prefix, members]) => ({ prefix, scopes: members })),
    ...(rest.length > 0 ? [{ prefix: undefined, scopes: rest }] : []),
  ];
};
