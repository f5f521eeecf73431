import { intersectScopes } from '@authserver/oauth';
import type { FrontingLink, Resource } from '@authserver/store';
import type { Consent, ExchangeFacts } from './facts.ts';

/** Why a token for one place may become a token for another. */
export type Way =
  /** The user allowed the subject token's client this resource. */
  | { kind: 'direct'; consent: Consent | undefined }
  /** A client exchanges its own token, and the operator leaves that to clients (`token_exchange.allow_self_exchange`). */
  | { kind: 'self' }
  /** An operator's link leads here from a resource the subject token is for, and who asks stands in front of it. */
  | { kind: 'fronted'; source: Resource; scopeMap: FrontingLink['scopeMap'] };

/** Where the new token is to be good, what is offered there, and how much of it this exchange can reach. */
export type Place = {
  name: string;
  /** `undefined`: the server itself. */
  resource: Resource | undefined;
  way: Way;
  offered: readonly string[];
  reachable: readonly string[];
};

export const isOwnToken = ({ client, subject }: ExchangeFacts): boolean => client.clientId === subject.clientId;

/**
 * The places of a request. Without a target these are the audiences of the subject token, which only a client's own
 * exchange may ask for. What is unknown or takes no tokens of ours is no place.
 */
export const placesOf = (facts: ExchangeFacts): readonly Place[] => {
  if (facts.targets.length > 0)
    return facts.targets.flatMap(({ name, resource }) =>
      resource && takesOurTokens(resource) ? [placeAt(facts, name, resource, wayTo(facts, resource))] : [],
    );
  return facts.subject.audiences.map((audience) =>
    placeAt(facts, audience, facts.resources.find(audience), { kind: 'self' }),
  );
};

export const takesOurTokens = ({ backendKind, uri }: Resource): boolean => backendKind === 'mint' && uri !== undefined;

/** Clients that may exchange tokens of others for a resource. */
export const mayBringTokens = ({ policy }: Resource, clientId: string): boolean =>
  policy.exchange.allowed_client_ids.includes(clientId) || policy.runtime.client_ids.includes(clientId);

/**
 * A link counts for whoever acts as the resource in front, or is on the list of the one behind; for everybody else it is
 * as if there were none. It leads nowhere new for a token that is for the target already.
 */
const wayTo = (facts: ExchangeFacts, target: Resource): Way => {
  const { client, subject, consents, settings } = facts;
  const sources = subject.audiences.flatMap((audience) => facts.resources.find(audience) ?? []);
  if (!sources.some(({ id }) => id === target.id))
    for (const source of sources) {
      const link = facts.linkBetween(source, target);
      if (link && isInFront(source, target, client.clientId))
        return { kind: 'fronted', source, scopeMap: link.scopeMap };
    }
  if (isOwnToken(facts) && settings.allowSelfExchange) return { kind: 'self' };
  return { kind: 'direct', consent: consents.find(({ resourceId }) => resourceId === target.id) };
};

const isInFront = (source: Resource, target: Resource, clientId: string): boolean =>
  source.policy.runtime.client_ids.includes(clientId) || target.policy.exchange.allowed_client_ids.includes(clientId);

const placeAt = (facts: ExchangeFacts, name: string, resource: Resource | undefined, way: Way): Place => {
  const offered = resource ? resource.scopes.map((scope) => scope.name) : facts.resources.scopes;
  const { ceiling } = facts.client;
  const carried = intersectScopes(carriedBy(facts.subject.scopes, way), offered);
  return {
    name,
    resource,
    way,
    offered,
    reachable: ceiling.length === 0 ? carried : intersectScopes(carried, ceiling),
  };
};

/** What the scopes of the subject token amount to on this way. Never more than it has, and not more than was allowed. */
const carriedBy = (held: readonly string[], way: Way): readonly string[] => {
  if (way.kind === 'fronted') return throughLink(held, way.scopeMap);
  if (way.kind === 'self') return held;
  return intersectScopes(held, way.consent?.scopes ?? []);
};

/** A target scope is reached from any of the source scopes that map to it. */
const throughLink = (held: readonly string[], scopeMap: FrontingLink['scopeMap']): string[] => [
  ...new Set(held.flatMap((scope) => (Object.hasOwn(scopeMap, scope) ? (scopeMap[scope] ?? []) : []))),
];

/**
 * What one token for all places may carry when nothing in particular is asked for. A scope means the same at every place
 * in `aud`, so it must be reachable wherever it is offered (RFC 9068 §5).
 */
export const reachableEverywhere = (places: readonly Place[]): readonly string[] =>
  [...new Set(places.flatMap(({ reachable }) => reachable))].filter((scope) =>
    places.every(({ offered, reachable }) => reachable.includes(scope) || !offered.includes(scope)),
  );
