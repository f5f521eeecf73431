/** What operators, users and clients take away and give back. */
import type { Random } from '../random.ts';
import { pickToken, some } from './choices.ts';
import { nameOf } from './judge.ts';
import type { Client, Consent, Resource, Token, User } from './model.ts';
import { type Known, type KnownFamily, scopesOf, type World } from './world.ts';

/** A change: made at the server, then in the model. One that gives more than before does not go on beside a request. */
export type Change = { says: string; make(): Promise<unknown>; model(): void; gives: boolean };

/** Any change. What is suspended goes on again soon, or nothing would happen any more. */
export const changeOf = (world: World, random: Random): Change | undefined => {
  const turns = [turnClient, turnUser];
  const rest = [endSomeToken, endSomeFamily, endSomeConsent, list, list, link, link, offer];
  const waiting = [...world.clients, ...world.users].some(({ active }) => !active);
  return random.pick(waiting && random.chance(0.5) ? turns : [...turns, ...rest])(world, random);
};

/** The end of something that a token rests on, or would. */
export const endingOf = (world: World, random: Random, token: Token): Change => {
  const { client, user, parent, family, rests } = token;
  const known = world.tokens.find((one) => one.token === (parent ?? token));
  const grant = world.families.find((one) => one.family === family);
  const ends: (() => Change)[] = [
    ...(random.chance(0.3) ? [() => turnClient(world, random, client)] : []),
    ...rests.map(
      ({ consent }) =>
        () =>
          endConsent(world, consent),
    ),
    ...(user && random.chance(0.5) ? [() => turnUser(world, random, user), () => signOut(world, user)] : []),
    ...(known ? [() => endToken(world, random, known), () => endToken(world, random, known)] : []),
    ...(grant ? [() => endFamily(world, random, grant)] : []),
    // Nobody sees it coming: what ends is further up.
    ...(parent ? [() => endingOf(world, random, parent)] : []),
  ];
  return ends.length > 0 ? random.pick(ends)() : turnClient(world, random, client);
};

const endSomeToken = (world: World, random: Random): Change | undefined => {
  const known = pickToken(random, world.tokens);
  return known && endToken(world, random, known);
};

const endToken = (world: World, random: Random, known: Known): Change => {
  const { token, text, jti } = known;
  const byOperator = random.chance(0.5);
  const pod = random.below(2);
  return {
    says: `${byOperator ? 'an operator' : 'its client'} revokes ${nameOf(world, token)}`,
    make: () =>
      byOperator ? world.server.admin.issuance.revoke({ id: jti }) : world.app(token.client).revoke(text, pod),
    // A client that is suspended cannot do it, and is told so.
    model: () => {
      token.ended ||= byOperator || token.client.active;
    },
    gives: false,
  };
};

const endSomeFamily = (world: World, random: Random): Change | undefined =>
  world.families.length === 0 ? undefined : endFamily(world, random, random.pick(world.families.slice(-30)));

const endFamily = (world: World, random: Random, { family, current, spent }: KnownFamily): Change => {
  const app = world.app(family.client);
  const reused = random.chance(0.5) ? spent.at(-1) : undefined;
  return {
    says: `the grant of ${family.user.name} to ${family.client.name} at ${family.resource.name} ${reused ? 'is used twice' : 'is revoked'}`,
    make: () => (reused ? app.refresh(reused, {}, 1) : app.revoke(current)),
    // Where the user or the consent is gone, nobody gets as far as that; nothing of it is good again anyhow.
    model: () => {
      family.ended ||= family.client.active;
    },
    gives: false,
  };
};

const endSomeConsent = (world: World, random: Random): Change | undefined => {
  const [user, client, resource] = [random.pick(world.users), random.pick(world.clients), random.pick(world.resources)];
  const consent = world.model.consentOf(user, client, resource);
  return consent.standing ? endConsent(world, consent) : undefined;
};

const endConsent = (world: World, consent: Consent): Change => {
  const { user, client, resource } = consent;
  return {
    says: `the consent of ${user.name} to ${client.name} at ${resource.name} is taken back`,
    async make() {
      const [row] = await world.server.sql(
        `select id from consent_grants
          where user_id = $1 and client_id = $2 and resource_id = $3 and revoked_at is null`,
        [world.person(user).user.id, world.app(client).clientId, world.at(resource).id],
      );
      if (row) await world.server.admin.grant.revokeConsent({ id: String(row.id) });
    },
    model: () => world.model.endConsent(consent),
    gives: false,
  };
};

const signOut = (world: World, user: User): Change => ({
  says: `${user.name} is signed out everywhere`,
  make: () => world.server.admin.user.forceLogout({ id: world.person(user).user.id }),
  model: () => newEra(user),
  gives: false,
});

const newEra = (user: User): void => {
  user.era += 1;
};

/** Suspends a client; if one is suspended, lets it go on. */
const turnClient = (world: World, random: Random, one?: Client): Change => {
  const client = one ?? world.clients.find(({ active }) => !active) ?? random.pick(world.clients);
  const { active } = client;
  const { admin } = world.server;
  const id = { id: world.app(client).clientId };
  return {
    says: `${client.name} is ${active ? 'suspended' : 'reactivated'}`,
    make: () => (active ? admin.client.suspend(id) : admin.client.reactivate(id)),
    model: () => {
      client.active = !active;
    },
    gives: !active,
  };
};

const turnUser = (world: World, random: Random, one?: User): Change => {
  const user = one ?? world.users.find(({ active }) => !active) ?? random.pick(world.users);
  const { active } = user;
  const { admin } = world.server;
  const id = { id: world.person(user).user.id };
  return {
    says: `${user.name} is ${active ? 'disabled' : 'enabled'}`,
    make: () => (active ? admin.user.disable(id) : admin.user.enable(id)),
    model: () => {
      user.active = !active;
      if (active) newEra(user);
    },
    gives: !active,
  };
};

/** Puts a client on a list of a resource, or takes it off. */
const list = (world: World, random: Random): Change => {
  const [resource, client] = [random.pick(world.resources), random.pick(world.clients)];
  const which = random.pick(['runtime', 'exchange'] as const);
  const listed = resource[which].has(client);
  const { policy } = world.server.admin;
  const { slug } = world.at(resource);
  const { clientId: client_id } = world.app(client);
  const [add, remove] =
    which === 'runtime'
      ? [policy.addRuntimeClient, policy.removeRuntimeClient]
      : [policy.addExchangeClient, policy.removeExchangeClient];
  return {
    says: `${client.name} is ${listed ? 'taken off' : 'put on'} the ${which} list of ${resource.name}`,
    make: () => (listed ? remove({ slug, client_id }) : add({ slug, body: { client_id } })),
    model: () => {
      if (listed) resource[which].delete(client);
      else resource[which].add(client);
    },
    gives: !listed,
  };
};

const edges = [
  ['front', 'hidden'],
  ['hidden', 'last'],
  ['front', 'last'],
] as const;

/** Makes a link, changes what it maps, or takes it away. */
const link = (world: World, random: Random): Change => {
  const [source, target] = random.pick(edges);
  const key = `${source} ${target}`;
  const byName = (name: string) => scopesOf(world.resources.find((one) => one.name === name) as Resource);
  const map = Object.fromEntries(some(random, byName(source)).map((scope) => [scope, some(random, byName(target))]));
  const linked = world.model.links.has(key);
  const { fronting } = world.server.admin;
  if (linked && random.chance(0.4))
    return {
      says: `the link from ${source} to ${target} is deleted`,
      make: () => fronting.delete({ source, target }),
      model: () => world.model.links.delete(key),
      gives: false,
    };
  return {
    says: `the link from ${source} to ${target} maps ${JSON.stringify(map)}`,
    make: () =>
      linked
        ? fronting.update({ source, target, body: { scope_map: map } })
        : fronting.create({ body: { source, target, scope_map: map } }),
    model: () => world.model.links.set(key, map),
    gives: true,
  };
};

/** The resource that no link names offers less, or all again. */
const offer = (world: World): Change => {
  const resource = world.resources.find(({ name }) => name === 'side') as Resource;
  const less = resource.offered.length < scopesOf(resource).length;
  const offered = less ? scopesOf(resource) : scopesOf(resource).slice(0, 1);
  return {
    says: `${resource.name} offers ${offered.join(' ')}`,
    make: () =>
      world.server.admin.resource.update({
        id: world.at(resource).id,
        body: { scopes: offered.map((name) => ({ name })) },
      }),
    model: () => {
      resource.offered = offered;
    },
    gives: less,
  };
};
