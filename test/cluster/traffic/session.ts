/**
 * A person signs in to an app, which then holds a family of tokens: it refreshes as it goes, asks again when an answer is
 * lost, and in the end something ends the family, or nothing does.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestUser } from '../../support/auth-server.ts';
import type { Answer, Grant, TestApp, Tokens } from '../../support/test-app.ts';
import { Unavailable } from '../judge.ts';
import type { Group, KnownToken } from '../ledger.ts';
import type { Random } from '../random.ts';
import { ifAvailable, type World } from '../world.ts';
import { WatchedBrowser } from './browser.ts';
import { endings } from './endings.ts';
import { inspectAt } from './introspection.ts';
import { atPod, createUser } from './population.ts';

export type Family = {
  app: TestApp;
  user: TestUser;
  group: Group;
  grant: Grant;
  accessTokens: KnownToken[];
  refreshToken: string;
  /** What was spent, with what came for it. */
  successors: Map<string, string>;
};

/** `oauth.refresh_reuse_window`, less the way and the seconds by which the clocks of two pods may differ. */
const REUSE_WINDOW_MS = 4_000;
const RETRY_MS = 150;

let families = 0;

/** Signs in, consents, refreshes some times, and ends in one of many ways. */
export const sessionActs = async (world: World, random: Random): Promise<void> => {
  const ending = random.weighted(endings.weights);
  // What ends everything of a user must not end what others do.
  const user = endings.endsUser(ending) ? await createUser(world, random) : random.pick(world.population.users);
  const family = await signUp(world, random, user);
  if (!family) return;
  const refreshes = random.integer(0, 5);
  for (let n = 0; n < refreshes && !world.over.aborted; n += 1) {
    await sleep(random.between(0, 1_500));
    if (!(await refresh(world, random, family))) return;
    const newest = family.accessTokens.at(-1);
    if (newest && random.chance(0.4)) await inspectAt(world, newest, random.pick(world.cluster.tokenPods).name);
  }
  await endings.run(ending, world, random, family);
};

/** From the authorization request to the first tokens; undefined when that failed for a good reason. */
export const signUp = async (world: World, random: Random, user: TestUser): Promise<Family | undefined> => {
  const app = random.pick(world.population.apps);
  const grant = await authorize(world, app, user);
  if (!grant) return undefined;
  families += 1;
  const group: Group = `family:${families}`;
  const from = performance.now();
  const answer = await redeem(world, app, grant, group);
  if (answer?.status !== 200) return undefined;
  return {
    ...{ app, user, group, grant, refreshToken: answer.body.refresh_token, successors: new Map() },
    accessTokens: [world.ledger.add(answer.body.access_token, groupsOf(group, app, user), from)],
  };
};

export const authorize = async (world: World, app: TestApp, user: TestUser): Promise<Grant | undefined> => {
  const { resource, scope } = world.population;
  return ifAvailable(app.code({ user, scope, resource }, new WatchedBrowser(world)));
};

/** Redeems a code, and once more when the answer was lost; the second time it may have been honoured already. */
const redeem = async (world: World, app: TestApp, grant: Grant, group: Group): Promise<Answer<Tokens> | undefined> => {
  const first = await present(
    world,
    group,
    world.judge.ask({ kind: 'code' }, () => app.redeem(grant)),
  );
  if (first) return first;
  await sleep(RETRY_MS);
  // When this one is lost too, nothing of the family is known.
  return ifAvailable(world.judge.ask({ kind: 'code', denials: ['invalid_grant'] }, () => app.redeem(grant)));
};

/**
 * The answer to a code or a refresh token, undefined when it was lost. A pod that has the request and says nothing may carry it
 * out when the client has long gone on with what another pod gave it. That looks as a theft does, and ends the family (RFC 6749
 * §4.1.2, RFC 9700 §4.14.2); so from then on nobody can tell, until its rows do at the end (`checkDoubts`).
 */
const present = async <A>(world: World, group: Group, answer: Promise<A>): Promise<A | undefined> => {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    if (error.isHeld) world.ledger.doubt(group);
    return undefined;
  }
};

/**
 * Presents a refresh token at whichever pod, or at this one. A refusal is right once the repeat is late, or a pod may still hold a
 * request of this family.
 */
const presentRefresh = (
  world: World,
  { app, group }: Family,
  refreshToken: string,
  { pod, late = false }: { pod?: string; late?: boolean } = {},
): Promise<Answer<Tokens> | undefined> => {
  const denials = late || world.ledger.isInDoubt(group) ? ['invalid_grant'] : [];
  const asked = pod === undefined ? app : atPod(world.cluster, app, pod);
  return present(
    world,
    group,
    world.judge.ask({ kind: 'refresh', pod, denials }, () => asked.refresh(refreshToken)),
  );
};

/**
 * Refreshes as an honest client does: while no answer comes it asks again with the same token. Within the reuse window
 * that must succeed, at whichever pod; later it may be taken for a theft. False when the family is over.
 */
export const refresh = async (world: World, random: Random, family: Family): Promise<boolean> => {
  const { refreshToken } = family;
  const started = performance.now();
  let lost = false;
  while (!world.over.aborted) {
    const late = lost && performance.now() - started > REUSE_WINDOW_MS;
    const from = performance.now();
    const answer = await presentRefresh(world, family, refreshToken, { late });
    if (answer?.status === 200) {
      adopt(world, family, refreshToken, answer.body, from);
      if (random.chance(0.1)) await repeat(world, random, family, refreshToken);
      return true;
    }
    if (answer) {
      world.ledger.doubt(family.group); // taken for a theft, as it seems: its row will tell
      return false;
    }
    lost = true;
    await sleep(RETRY_MS);
  }
  return false;
};

/** A repeat that nobody needed, at some pod: it must bring the same successor. */
const repeat = async (world: World, random: Random, family: Family, refreshToken: string): Promise<void> => {
  const pod = random.pick(world.cluster.tokenPods).name;
  const from = performance.now();
  const answer = await presentRefresh(world, family, refreshToken, { pod });
  if (answer?.status === 200) adopt(world, family, refreshToken, answer.body, from);
  else if (answer) world.ledger.doubt(family.group);
};

/** Takes over what came for a refresh token, which is always the same successor. */
export const adopt = (world: World, family: Family, spent: string, tokens: Tokens, from: number): void => {
  const { violations, ledger } = world;
  family.accessTokens.push(ledger.add(tokens.access_token, groupsOf(family.group, family.app, family.user), from));
  const known = family.successors.get(spent);
  violations.checked('one-successor');
  if (known !== undefined && known !== tokens.refresh_token)
    violations.add('one-successor', `a refresh token of ${family.group} has two successors`);
  family.successors.set(spent, tokens.refresh_token);
  family.refreshToken = tokens.refresh_token;
};

const groupsOf = (group: Group, app: TestApp, user: TestUser): Group[] => [
  group,
  `client:${app.clientId}`,
  `user:${user.id}`,
];

/** Refreshes at two pods at once: both may succeed, with one successor. */
export const refreshRaceActs = async (world: World, random: Random): Promise<void> => {
  const family = await signUp(world, random, random.pick(world.population.users));
  if (!family) return;
  const { refreshToken } = family;
  const from = performance.now();
  const race = await Promise.all(
    world.cluster.tokenPods.map(({ name: pod }) => presentRefresh(world, family, refreshToken, { pod })),
  );
  for (const answer of race)
    if (answer?.status === 200) adopt(world, family, refreshToken, answer.body, from);
    else if (answer) world.ledger.doubt(family.group);
  if (race.some((answer) => answer?.status === 200)) await refresh(world, random, family);
};

/** Redeems one code at every pod at once: one may succeed. */
export const codeRaceActs = async (world: World, random: Random): Promise<void> => {
  const app = random.pick(world.population.apps);
  const from = performance.now();
  const grant = await authorize(world, app, random.pick(world.population.users));
  if (!grant) return;
  const race = await Promise.all(
    world.cluster.tokenPods.map(({ name: pod }) =>
      ifAvailable(
        world.judge.ask({ kind: 'code', pod, denials: ['invalid_grant'] }, () =>
          atPod(world.cluster, app, pod).redeem(grant),
        ),
      ),
    ),
  );
  const honoured = race.filter((answer) => answer?.status === 200).length;
  world.violations.checked('one-successor');
  if (honoured > 1) world.violations.add('one-successor', `a code was honoured by ${honoured} pods`);
  // One that was issued by a bad clock may be over for the good ones.
  const badClocks = world.disturbances.excusesRefusals(from, performance.now());
  if (honoured === 0 && !badClocks && race.every((answer) => answer))
    world.violations.add('own-fault-is-503', 'a code was honoured by nobody, and every pod had an answer');
};
