import { setImmediate as pause } from 'node:timers/promises';
import type { DeclarationKind, DeclarationList } from '@authserver/admin-api';
import type { Repositories } from '@authserver/store';
import type { z } from 'zod';
import type { Declaration, Kind } from './kind.ts';
import { pageSize } from './kind.ts';
import type { DeclarationProblem } from './problems.ts';

export type Declared = { kind: Kind; key: string; index: number; declaration: Declaration };

/** Declarations by kind and key. */
export type DeclaredByKind = ReadonlyMap<DeclarationKind, ReadonlyMap<string, Declared>>;

/** So many are checked before others are let in: a check is pure computation. */
const batch = 100;

/** Checks every declaration, and that none is there twice. */
export const readDeclarations = async (
  kinds: readonly Kind[],
  lists: Partial<Record<DeclarationList, readonly unknown[] | undefined>>,
): Promise<{ declared: DeclaredByKind; problems: DeclarationProblem[] }> => {
  const declared = new Map<DeclarationKind, Map<string, Declared>>();
  const problems: DeclarationProblem[] = [];
  for (const kind of kinds) {
    const ofKind = new Map<string, Declared>();
    const normal = kind.normal ?? ((declaration: Declaration) => declaration);
    declared.set(kind.name, ofKind);
    for (const [index, value] of (lists[kind.list] ?? []).entries()) {
      if (index % batch === batch - 1) await pause();
      const { list, name } = kind;
      const parsed = kind.schema.safeParse(value);
      const key = parsed.success ? kind.keyOf(parsed.data) : keyOfRaw(kind, value);
      const place = { list, kind: name, index, ...(key === undefined ? {} : { key }) };
      for (const issue of parsed.error?.issues ?? [])
        problems.push(...toProblems(issue).map((p) => ({ ...place, ...p })));
      if (key === undefined) continue;
      const first = ofKind.get(key);
      if (first) problems.push({ ...place, message: `is declared twice, first as ${list}[${first.index}]` });
      // One that is wrong is declared all the same: who refers to it does not do so in vain.
      else ofKind.set(key, { kind, key, index, declaration: parsed.success ? normal(parsed.data) : {} });
    }
  }
  return { declared, problems };
};

/** The name of a declaration that is wrong elsewhere. */
const keyOfRaw = (kind: Kind, value: unknown): string | undefined => {
  try {
    const key = kind.keyOf(value as Declaration);
    return typeof key === 'string' && !/undefined|\[object/.test(key) ? key.slice(0, 256) : undefined;
  } catch {
    return undefined;
  }
};

const toProblems = (issue: z.core.$ZodIssue): { member?: string; message: string }[] => {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((name) => ({ member: [...path, name].join('.'), message: 'is not known' }));
  const missing =
    issue.code === 'invalid_type' && issue.input === undefined && /received undefined/.test(issue.message);
  const message = missing ? 'is required' : issue.message;
  return [path.length > 0 ? { member: path.join('.'), message } : { message }];
};

/** What declarations refer to and is neither declared beside them nor there. */
export const danglingReferences = async (
  store: Repositories,
  kinds: readonly Kind[],
  declared: DeclaredByKind,
): Promise<DeclarationProblem[]> => {
  const wanted = new Map<DeclarationKind, Set<string>>();
  const references = [...declared.values()].flatMap((ofKind) =>
    [...ofKind.values()].flatMap((one) =>
      one.kind.references(one.declaration).map((reference) => ({ one, reference })),
    ),
  );
  for (const { reference } of references)
    if (!declared.get(reference.kind)?.has(reference.key))
      wanted.set(reference.kind, (wanted.get(reference.kind) ?? new Set()).add(reference.key));
  const known = new Map<DeclarationKind, Set<string>>();
  for (const kind of kinds) {
    const keys = [...(wanted.get(kind.name) ?? [])];
    const found = new Set<string>();
    for (let start = 0; start < keys.length; start += pageSize)
      for (const { key } of await kind.find(store, { keys: keys.slice(start, start + pageSize), identities: [] }))
        found.add(key);
    known.set(kind.name, found);
  }
  return references
    .filter(({ reference: { kind, key } }) => !declared.get(kind)?.has(key) && !known.get(kind)?.has(key))
    .map(({ one: { kind, index, key }, reference }) => ({
      ...{ list: kind.list, kind: kind.name, index, key },
      member: reference.member,
      message: `there is no ${reference.kind.replaceAll('_', ' ')} ${reference.key}`,
    }));
};
