/**
 * What docs/token-exchange.md and docs/introspection.md promise, as a small machine: who may have which token, and which of
 * those that were issued are good. Nothing here knows how the server decides. Everything has a name, and no time passes.
 */

export type Client = { name: string; ceiling: readonly string[]; active: boolean };
export type User = { name: string; active: boolean; era: number };
export type Resource = {
  name: string;
  offered: readonly string[];
  /** Clients that act as it, and clients that may exchange tokens for it. */
  runtime: Set<Client>;
  exchange: Set<Client>;
};
export type ScopeMap = Readonly<Record<string, readonly string[]>>;
/** What a user lets a client do at a resource; taken back, it begins a new era, and nothing of the old one is good again. */
export type Consent = {
  user: User;
  client: Client;
  resource: Resource;
  held: Set<string>;
  standing: boolean;
  era: number;
};
type Rest = { consent: Consent; era: number };
export type Family = {
  client: Client;
  user: User;
  resource: Resource;
  scopes: readonly string[];
  rest: Rest;
  userEra: number;
  ended: boolean;
};
export type Token = {
  client: Client;
  /** Whose it is; absent for a machine's own. */
  user: User | undefined;
  /** The client that is its subject, when that is no user. */
  machine: Client | undefined;
  userEra: number;
  audience: readonly Resource[];
  scopes: readonly string[];
  parent: Token | undefined;
  family: Family | undefined;
  rests: readonly Rest[];
  /** Who acts, the present one first. */
  actors: readonly Client[];
  exchanges: number;
  ended: boolean;
};
/** A token as it may be issued; `scopes` are the most it may have. Not `certain`: the documents leave a refusal open. */
export type Expectation = { token: Token; certain: boolean } | undefined;

export type ExchangeRequest = {
  client: Client;
  subject: Token;
  actor: Token | undefined;
  targets: readonly Resource[];
  asked: readonly string[] | undefined;
};

const longestChain = 5;
const both = (left: readonly string[], right: Iterable<string>): string[] => {
  const also = new Set(right);
  return left.filter((scope) => also.has(scope));
};
const stands = ({ consent, era }: Rest): boolean => consent.standing && consent.era === era;

export class Model {
  readonly links = new Map<string, ScopeMap>();
  readonly #consents = new Map<string, Consent>();

  linkBetween = (source: Resource, target: Resource): ScopeMap | undefined =>
    this.links.get(`${source.name} ${target.name}`);

  consentOf(user: User, client: Client, resource: Resource): Consent {
    const key = `${user.name} ${client.name} ${resource.name}`;
    const consent = this.#consents.get(key) ?? { user, client, resource, held: new Set(), standing: false, era: 0 };
    this.#consents.set(key, consent);
    return consent;
  }

  /** Of what was asked exactly what was allowed is held; what was not asked about stays. */
  allow(consent: Consent, asked: readonly string[], allowed: readonly string[]): void {
    if (!consent.standing) consent.held.clear();
    consent.standing = true;
    for (const scope of asked) consent.held.delete(scope);
    for (const scope of allowed) consent.held.add(scope);
  }

  endConsent(consent: Consent): void {
    if (consent.standing) consent.era += 1;
    consent.standing = false;
  }

  /** Good as long as everything it rests on is. */
  isActive(token: Token): boolean {
    const { client, user, userEra, family, rests, parent } = token;
    return (
      !token.ended &&
      client.active &&
      (!user || (user.active && user.era === userEra)) &&
      !family?.ended &&
      rests.every(({ consent, era }) => consent.era === era) &&
      (!parent || this.isActive(parent))
    );
  }

  granted(family: Family): Token {
    const { client, user, userEra, resource, scopes, rest } = family;
    return {
      ...{ client, user, userEra, scopes, family, machine: undefined, audience: [resource], rests: [rest] },
      ...{ parent: undefined, actors: [], exchanges: 0, ended: false },
    };
  }

  /** What is left of what a family was granted, of what the user allows now, and of what the resource offers. */
  refresh(family: Family, asked: readonly string[] | undefined): Expectation {
    const { client, user, rest, resource } = family;
    if (family.ended || !client.active || !user.active || user.era !== family.userEra || !stands(rest))
      return undefined;
    const left = this.#underCeiling(client, both(both(family.scopes, rest.consent.held), resource.offered));
    const scopes = asked ?? left;
    if (scopes.length === 0 || both(scopes, left).length < scopes.length) return undefined;
    return { token: { ...this.granted(family), scopes }, certain: true };
  }

  machineToken(client: Client, resource: Resource, asked: readonly string[]): Expectation {
    const scopes = both(asked, resource.offered);
    if (!client.active || scopes.length === 0 || both(asked, client.ceiling).length < asked.length) return undefined;
    const token: Token = {
      ...{ client, machine: client, user: undefined, userEra: 0, audience: [resource], scopes, parent: undefined },
      ...{ family: undefined, rests: [], actors: [], exchanges: 0, ended: false },
    };
    return { token, certain: true };
  }

  exchange({ client, subject, actor, targets, asked }: ExchangeRequest): Expectation {
    if (!client.active || !this.isActive(subject) || (actor && !this.isActive(actor))) return undefined;
    const acting = actor?.machine === actor?.client ? actor?.client : undefined;
    if (actor && !acting) return undefined;
    const places = targets.map((target) => this.#placeOf(client, subject, target));
    for (const { target, denied } of places) {
      if (denied || (target.exchange.size > 0 && !target.exchange.has(client))) return undefined;
      if (acting && acting !== client && !this.#mayBring(acting, target)) return undefined;
    }
    const everywhere = [...new Set(places.flatMap(({ reached }) => reached))].filter((scope) =>
      places.every(({ target, reached }) => reached.includes(scope) || !target.offered.includes(scope)),
    );
    const scopes = asked ?? everywhere;
    if (both(scopes, everywhere).length < scopes.length) return undefined;
    if (places.some(({ target }) => both(scopes, target.offered).length === 0)) return undefined;

    const linked = places.some(({ rest }) => !rest);
    const behind = linked && subject.actors.length === 0 ? [subject.client] : subject.actors;
    const before = linked && acting && acting !== client ? [client, ...behind] : behind;
    const present = acting ?? (linked ? client : undefined);
    const actors = present ? [present, ...before] : before;
    const exchanges = subject.exchanges + 1;
    if (Math.max(actors.length, exchanges) > longestChain) return undefined;
    const { user, machine, userEra, audience } = subject;
    return {
      token: {
        ...{ client, user, machine, userEra, audience: targets, scopes, parent: subject, family: undefined },
        ...{ rests: places.flatMap(({ rest }) => rest ?? []), actors, exchanges, ended: false },
      },
      // Which of several links counts is not said, so with a token for several resources one may be refused.
      certain: audience.length === 1,
    };
  }

  /** One target of an exchange: how much of the subject token reaches there, by links, or else by the user's consent. */
  #placeOf(client: Client, subject: Token, target: Resource) {
    const sources = subject.audience.includes(target) ? [] : subject.audience;
    const links = sources
      .filter((source) => source.runtime.has(client) || target.exchange.has(client))
      .map((source) => this.linkBetween(source, target))
      .filter((map) => map !== undefined);
    const within = (scopes: readonly string[]) => this.#underCeiling(client, both(scopes, target.offered));
    if (links.length > 0) {
      const mapped = links.flatMap((map) => subject.scopes.flatMap((scope) => map[scope] ?? []));
      return { target, rest: undefined, denied: false, reached: within([...new Set(mapped)]) };
    }
    const consent = subject.user && this.consentOf(subject.user, subject.client, target);
    const foreign = subject.client !== client && !this.#mayBring(client, target);
    if (!consent?.standing || foreign) return { target, rest: undefined, denied: true, reached: [] };
    return {
      ...{ target, rest: { consent, era: consent.era }, denied: false },
      reached: within(both(subject.scopes, consent.held)),
    };
  }

  #mayBring = (client: Client, { exchange, runtime }: Resource): boolean => exchange.has(client) || runtime.has(client);

  #underCeiling = ({ ceiling }: Client, scopes: readonly string[]): readonly string[] =>
    ceiling.length === 0 ? scopes : both(scopes, ceiling);
}
