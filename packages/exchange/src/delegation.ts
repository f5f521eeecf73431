import { type Actor, actorsOf } from '@authserver/oauth';
import type { ExchangedToken, ExchangeFacts } from './facts.ts';
import type { Place } from './ways.ts';

/** The client that an actor token is of, if it is of one: a token a user gave to a client says nothing of who acts. */
export const actingClientOf = ({ clientId, subject }: ExchangedToken): string | undefined =>
  clientId === subject ? clientId : undefined;

/**
 * Who acts, as the new token will say (RFC 8693 §4.1). The subject token's own chain goes on below, and is not looked at
 * for the decision. Without an actor token nobody is added, except on a fronted way: there the user asked the client of
 * the subject token and never the one in front, so the token names both.
 */
export const actorOf = ({ client, subject, actor }: ExchangeFacts, places: readonly Place[]): Actor | undefined => {
  const fronted = places.some(({ way }) => way.kind === 'fronted');
  const behind = fronted && !namesClient(subject.act) ? hop(subject, subject.act) : subject.act;
  const acting = actor && actingClientOf(actor);
  if (actor && acting !== undefined && acting !== client.clientId)
    return hop(actor, fronted ? hop(client, behind) : behind);
  return acting !== undefined || fronted ? hop(client, behind) : behind;
};

/** How long the chain of the new token is: in actors, or in exchanges, where nobody was named. */
export const depthOf = (facts: ExchangeFacts, places: readonly Place[]): number =>
  Math.max(actorsOf(actorOf(facts, places)).length, facts.subject.exchanges + 1);

/** An identity provider that vouched for the subject (ID-JAG) stands in `act` as well, and is no client that acted. */
const namesClient = (act: Actor | undefined): boolean => act?.actor_type !== undefined;

const hop = ({ clientId, agent }: { clientId: string; agent: boolean }, act?: Actor): Actor => ({
  sub: clientId,
  actor_type: agent ? 'agent' : 'service',
  ...(act === undefined ? {} : { act }),
});
