/** Requests for tokens. */
import { type Answer, ok, type Tokens } from '../../support/test-app.ts';
import type { Random } from '../random.ts';
import { pickToken, some } from './choices.ts';
import { judge, named, nameOf } from './judge.ts';
import type { Expectation } from './model.ts';
import { type Known, type KnownFamily, scopesOf, tools, type World } from './world.ts';

/** A request for a token. What may come of it is asked of the model, perhaps twice when something else goes on meanwhile. */
export type Asking = {
  says: string;
  expect(): Expectation;
  ask(): Promise<Answer<Tokens>>;
  /** The tokens it is made from, of which no new one is to outlive any. */
  from: readonly Known[];
  family?: KnownFamily;
  /** The same for other scopes, of these. */
  catalog: readonly string[];
  withScopes(asked: readonly string[]): Asking;
};
const tokenType = 'urn:ietf:params:oauth:token-type:access_token';

/**
 * A request, in most cases one that is allowed, or just beyond it: most of what chance thinks of is far off. Or one that
 * was granted before and may no longer be.
 */
export const askingOf = (world: World, random: Random): Asking | undefined => {
  if (world.granted.length > 0 && random.chance(0.25)) return random.pick(world.granted.slice(-20));
  const kind = random.next();
  const ideas = Array.from({ length: random.chance(0.7) ? 20 : 1 }, () => ideaOf(world, random, kind));
  const idea = ideas.find((one) => one?.expect()) ?? ideas[0];
  const allowed = idea?.expect()?.token.scopes;
  const beyond = allowed && idea.catalog.filter((scope) => !allowed.includes(scope));
  if (!beyond || beyond.length === 0 || random.chance(0.7)) return idea;
  return idea.withScopes([...allowed, random.pick(beyond)]);
};

/** A machine token, a refresh or, mostly, an exchange. */
const ideaOf = (world: World, random: Random, kind: number): Asking | undefined => {
  const { model, clients, resources, tokens, families } = world;
  const pod = random.below(2);
  if (kind < 0.15) {
    const client = random.pick(clients.slice(2));
    const resource = random.pick(resources);
    const catalog = scopesOf(resource);
    const withScopes = (asked: readonly string[]): Asking => ({
      says: `${client.name} asks for a machine token at ${resource.name}: ${asked.join(' ')}`,
      expect: () => model.machineToken(client, resource, asked),
      ask: () => world.app(client).clientCredentials({ resource: world.at(resource).uri, scope: asked.join(' ') }, pod),
      ...{ from: [], catalog, withScopes },
    });
    return withScopes(some(random, random.chance(0.9) ? catalog : tools));
  }
  if (kind < 0.3) {
    if (families.length === 0) return undefined;
    const family = random.pick(families.slice(-30));
    const { client, user, resource, scopes } = family.family;
    const catalog = scopesOf(resource);
    const withScopes = (asked?: readonly string[]): Asking => ({
      says: `${client.name} refreshes for ${user.name} at ${resource.name}: ${asked?.join(' ') ?? 'all'}`,
      expect: () => model.refresh(family.family, asked),
      ask: () => world.app(client).refresh(family.current, { scope: asked?.join(' ') }, pod),
      ...{ from: [], family, catalog, withScopes },
    });
    return withScopes(random.chance(0.5) ? undefined : some(random, scopes));
  }
  const subject = pickToken(random, tokens);
  if (!subject) return undefined;
  const own = random.chance(0.4);
  const client = own ? subject.token.client : random.pick(clients);
  const targets = random.chance(0.85) ? [random.pick(resources)] : some(random, resources);
  const catalog = [...new Set(targets.flatMap(scopesOf))];
  const machines = tokens.filter(({ token }) => token.machine);
  const actor = random.chance(0.25) ? pickToken(random, random.chance(0.9) ? machines : tokens) : undefined;
  const acting = actor ? ` as ${nameOf(world, actor.token)}` : '';
  const withScopes = (asked?: readonly string[]): Asking => ({
    says: `${client.name} exchanges ${nameOf(world, subject.token)}${acting} for ${named(targets)}: ${asked?.join(' ') ?? 'all'}`,
    expect: () => model.exchange({ client, subject: subject.token, actor: actor?.token, targets, asked }),
    ask: () =>
      world.app(client).exchange(
        subject.text,
        {
          resource: targets.map((target) => world.at(target).uri),
          scope: asked?.join(' '),
          ...(actor ? { actor_token: actor.text, actor_token_type: tokenType } : {}),
        },
        pod,
      ),
    ...{ from: actor ? [subject, actor] : [subject], catalog, withScopes },
  });
  return withScopes(random.chance(0.5) ? undefined : some(random, catalog));
};

/** A user goes through the pages and allows a client something: their answer in full, which may be less than before. */
export const consent = async (world: World, random: Random): Promise<string | undefined> => {
  const { model } = world;
  const client = random.pick(world.clients.slice(0, 2));
  const user = random.pick(world.users);
  const resource = random.pick(world.resources);
  const within = client.ceiling.length > 0 ? client.ceiling : resource.offered;
  const offered = resource.offered.filter((scope) => within.includes(scope));
  if (!client.active || !user.active || offered.length === 0) return undefined;
  const asked = some(random, offered);
  const tick = some(random, asked);
  const app = world.app(client);
  const { user: person, browser } = world.person(user);
  const params = { prompt: 'consent' };
  const request = { user: person, resource: world.at(resource).uri, scope: asked.join(' '), tick, params };
  const tokens = ok(await app.redeem(await app.code(request, browser), {}, random.below(2)));
  const given = model.consentOf(user, client, resource);
  model.allow(given, asked, tick);
  const rest = { consent: given, era: given.era };
  const family = { client, user, resource, scopes: tick, rest, userEra: user.era, ended: false };
  world.families.push({ family, current: tokens.refresh_token, spent: [] });
  const says = `${user.name} allows ${client.name} at ${resource.name}: ${tick.join(' ')} of ${asked.join(' ')}`;
  judge(world, { says, from: [] }, { status: 200, headers: new Headers(), body: tokens }, [
    { token: model.granted(family), certain: true },
  ]);
  return says;
};
