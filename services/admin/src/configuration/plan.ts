/**
 * What has to be done so that the server is as files declare it. Reads only: who owns what, what is there, what differs.
 * An owner's files are all of that owner's files, so what the owner declared before and does not any more is `left`, and
 * deleted with `prune`. What nobody declared is never touched, unless it is declared now: then it is adopted.
 */
import { createHash } from 'node:crypto';
import { type AdminRole, adminRoles, type DeclarationKind, roleOf } from '@authserver/admin-api';
import type { ConfigurationOwner, Repositories } from '@authserver/store';
import { differences, type MemberChange, topOf } from './compare.ts';
import { type Declaration, type Found, type Kind, pageSize, pagesOf } from './kind.ts';
import type { DeclarationProblem } from './problems.ts';
import type { Declared, DeclaredByKind } from './read-declarations.ts';

export type Step = {
  action: 'create' | 'change' | 'adopt' | 'delete';
  kind: Kind;
  key: string;
  declared?: Declared | undefined;
  found?: Found | undefined;
  changes: MemberChange[];
  takenFrom?: string | undefined;
};

export type Drift = { kind: Kind; key: string; what: 'changed' | 'deleted'; changes?: MemberChange[] };

export type Plan = {
  steps: Step[];
  unchanged: number;
  drift: Drift[];
  left: { kind: Kind; key: string }[];
  undeclared: { kind: Kind; count: number; keys: string[] }[];
  /** As they should be, but noted otherwise: brought up to date without a word. */
  stale: { kind: Kind; declared: Declared; found: Found }[];
  /** Owned by name only: the objects are gone. */
  gone: { kind: Kind; key: string }[];
};

export type PlanOptions = { owner: string; prune: boolean; takeOver: boolean };

const maxKeysShown = 100;

export const makePlan = async (
  store: Repositories,
  kinds: readonly Kind[],
  declared: DeclaredByKind,
  options: PlanOptions,
): Promise<{ plan: Plan; problems: DeclarationProblem[] }> => {
  const plan: Plan = { steps: [], unchanged: 0, drift: [], left: [], undeclared: [], stale: [], gone: [] };
  const problems: DeclarationProblem[] = [];
  const makes: Step[] = [];
  const deletes: Step[] = [];
  for (const kind of kinds) {
    const wanted: ReadonlyMap<string, Declared> = declared.get(kind.name) ?? new Map();
    const owners = await ownersOf(store, kind.name);
    const mine = [...owners.values()].filter(({ owner }) => owner === options.owner);
    const there = await findAll(store, kind, [...wanted.keys()], mine);
    for (const one of wanted.values()) {
      const row = owners.get(one.key);
      const found = (row && there.byIdentity.get(row.identity)) ?? there.byKey.get(one.key);
      const owned = row && found?.identity === row.identity ? row : undefined;
      const judged = await judge(one, found, owned, options);
      if ('problems' in judged) {
        problems.push(...judged.problems);
        continue;
      }
      const { step } = judged;
      if (row?.owner === options.owner && !owned && !found) plan.drift.push({ kind, key: one.key, what: 'deleted' });
      if (step) makes.push(step);
      else plan.unchanged += 1;
      if (!found || owned?.owner !== options.owner) continue;
      if (step) plan.drift.push(...driftOf(kind, one.key, owned, found));
      else if (differences(owned.applied, one.declaration, ['client_secret']).length > 0)
        plan.stale.push({ kind, declared: one, found });
    }
    for (const row of mine) {
      if (wanted.has(row.key)) continue;
      const found = there.byIdentity.get(row.identity);
      // Another object of the same name was made by somebody else.
      if (!found) plan.gone.push({ kind, key: row.key });
      else if (wanted.has(found.key)) plan.gone.push({ kind, key: row.key });
      else {
        plan.drift.push(...driftOf(kind, row.key, row, found));
        if (options.prune) deletes.push({ action: 'delete', kind, key: row.key, found, changes: [] });
        else plan.left.push({ kind, key: row.key });
      }
    }
    plan.undeclared.push(...(await undeclaredOf(store, kind, wanted, owners)));
  }
  const first = deletes.filter(({ kind }) => kind.deletedFirst);
  const last = deletes.filter(({ kind }) => !kind.deletedFirst);
  plan.steps = [...first.reverse(), ...makes, ...last.reverse()];
  return { plan, problems };
};

const ownersOf = async (store: Repositories, kind: DeclarationKind): Promise<Map<string, ConfigurationOwner>> => {
  const owners = new Map<string, ConfigurationOwner>();
  const pages = pagesOf<ConfigurationOwner>((last) => store.configurationOwners.page(kind, last?.key ?? '', pageSize));
  for await (const rows of pages) for (const row of rows) owners.set(row.key, row);
  return owners;
};

const findAll = async (store: Repositories, kind: Kind, keys: string[], mine: readonly ConfigurationOwner[]) => {
  const byKey = new Map<string, Found>();
  const byIdentity = new Map<string, Found>();
  const all = [...new Set([...keys, ...mine.map(({ key }) => key)])];
  const identities = mine.map(({ identity }) => identity);
  for (let start = 0; start < Math.max(all.length, identities.length); start += pageSize) {
    const part = { keys: all.slice(start, start + pageSize), identities: identities.slice(start, start + pageSize) };
    for (const found of await kind.find(store, part)) {
      byKey.set(found.key, found);
      byIdentity.set(found.identity, found);
    }
  }
  return { byKey, byIdentity };
};

type Judged = { step: Step | undefined } | { problems: DeclarationProblem[] };

/** What has to be done about one declaration, or why it cannot be done. */
const judge = async (
  one: Declared,
  found: Found | undefined,
  owned: ConfigurationOwner | undefined,
  { owner, takeOver }: PlanOptions,
): Promise<Judged> => {
  const { kind, key, index, declaration } = one;
  const refuse = (message: string, member?: string): DeclarationProblem => ({
    ...{ list: kind.list, kind: kind.name, index, key, message },
    ...(member === undefined ? {} : { member }),
  });
  if (!found) return { step: { action: 'create', kind, key, declared: one, changes: [] } };
  if (found.refusal !== undefined) return { problems: [refuse(found.refusal)] };
  const takenFrom = owned && owned.owner !== owner ? owned.owner : undefined;
  if (takenFrom !== undefined && !takeOver)
    return { problems: [refuse(`belongs to the owner ${takenFrom}; it can be taken over (take_over)`)] };

  const { client_secret: secret, ...rest } = declaration;
  const changes = differences(found.declaration, rest, kind.optional);
  if (typeof secret === 'string' && (await found.hasSecret?.(secret)) === false)
    changes.push({ member: 'client_secret' });
  const problems = obstaclesOf(kind, declaration, changes).map(({ member, message }) => refuse(message, member));
  if (problems.length > 0) return { problems };
  if (changes.length > 0) return { step: { action: 'change', kind, key, declared: one, found, changes, takenFrom } };
  if (owned?.owner === owner) return { step: undefined };
  return { step: { action: 'adopt', kind, key, declared: one, found, changes: [], takenFrom } };
};

const obstaclesOf = (kind: Kind, wanted: Declaration, changes: readonly MemberChange[]) => {
  const members = [...new Set(changes.map(({ member }) => topOf(member)))];
  return members.flatMap((member) => {
    const message = kind.changeable.includes(member)
      ? kind.obstacle?.(wanted, [member])
      : `cannot be changed; declare the ${kind.name.replaceAll('_', ' ')} under another name, or delete it first`;
    return message === undefined ? [] : [{ member, message }];
  });
};

/** What was applied, as this release would have applied it: a member that is new since then was not changed by hand. */
const driftOf = (kind: Kind, key: string, { applied }: ConfigurationOwner, found: Found): Drift[] => {
  const parsed = kind.schema.safeParse(applied);
  const changes = differences(parsed.success ? parsed.data : applied, found.declaration, kind.optional);
  return changes.length > 0 ? [{ kind, key, what: 'changed', changes }] : [];
};

const undeclaredOf = async (
  store: Repositories,
  kind: Kind,
  wanted: ReadonlyMap<string, unknown>,
  owners: ReadonlyMap<string, ConfigurationOwner>,
): Promise<Plan['undeclared']> => {
  const keys: string[] = [];
  let count = 0;
  for await (const page of kind.pages(store))
    for (const { key, identity } of page) {
      if (wanted.has(key) || owners.get(key)?.identity === identity) continue;
      count += 1;
      if (keys.length < maxKeysShown) keys.push(key);
    }
  return count > 0 ? [{ kind, count, keys }] : [];
};

export const toShownStep = ({ action, kind, key, changes, takenFrom }: Step) => ({
  action,
  kind: kind.name,
  key,
  ...(changes.length > 0 ? { changes } : {}),
  ...(takenFrom === undefined ? {} : { taken_from: takenFrom }),
});

/** Stands for the steps of a plan: an equal one does the same. */
export const fingerprintOf = (owner: string, steps: readonly Step[]): string =>
  createHash('sha256')
    .update(JSON.stringify([owner, steps.map(toShownStep)]))
    .digest('base64url')
    .slice(0, 22);

/** The strongest role that one of the steps needs as a single operation. */
export const roleFor = (steps: readonly Step[]): AdminRole => {
  const needed = steps.map(({ action, kind, found, declared }) => {
    const ownersOnly = [found?.declaration, declared?.declaration].some((one) => one && kind.needsOwner?.(one));
    return ownersOnly ? 'owner' : roleOf(kind.operations[action === 'adopt' ? 'change' : action]);
  });
  return adminRoles.findLast((role) => needed.includes(role)) ?? 'operator';
};
