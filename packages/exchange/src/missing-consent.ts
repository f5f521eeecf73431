import { intersectScopes } from '@authserver/oauth';
import type { BudgetConsent, Resource } from '@authserver/store';
import { budgetsAt, isOver, isUsedUp } from './budgets.ts';
import { decide } from './decide.ts';
import type { Consent, ExchangeFacts } from './facts.ts';
import { type Place, placesOf } from './ways.ts';

/** What the user would have to allow a client, and where. At each resource some of the scopes. */
export type MissingConsent = { clientId: string; resources: readonly Resource[]; scopes: readonly string[] };

type Lack = { clientId: string; resource: Resource; scopes: readonly string[]; consent: { id: string } | undefined };

/**
 * What is missing when an exchange is refused for want of consent, or because a budget under one is used up. `undefined` when
 * the answer of the user would not help, because something else would be refused then, or when it is missing to more than
 * one client. Nobody is asked in vain; whether that client may be given as much (its registered scope) the caller knows.
 */
export const missingConsent = (facts: ExchangeFacts): MissingConsent | undefined => {
  const places = placesOf(facts);
  const missing = places.flatMap((place) => missingAt(facts, place));
  const spent = places.flatMap((place) => spentAt(facts, place));
  const [first, ...further] = [...missing, ...spent];
  if (!first || further.some(({ clientId }) => clientId !== first.clientId)) return undefined;
  const { refusal } = decide(onceAllowed(facts, missing, spent));
  if (refusal) return undefined;
  const lacking = [first, ...further];
  return {
    clientId: first.clientId,
    resources: [...new Set(lacking.map(({ resource }) => resource))],
    scopes: [...new Set(lacking.flatMap(({ scopes }) => scopes))],
  };
};

const missingAt = (facts: ExchangeFacts, place: Place): Lack[] => {
  const { resource, way } = place;
  if (!resource || way.kind !== 'direct') return [];
  const held = way.consent?.scopes ?? [];
  const scopes = wantedAt(facts, place, way.consent).filter((scope) => !held.includes(scope));
  const { clientId } = facts.subject;
  return scopes.length > 0 ? [{ clientId, resource, scopes, consent: way.consent }] : [];
};

/** All that the consent holds is asked for again: what the user allows it stays, and what they untick is taken back. */
const spentAt = (facts: ExchangeFacts, place: Place): Lack[] =>
  budgetsAt(facts, place)
    .filter((budgeted) => isUsedUp(budgeted) || isOver(budgeted, facts.now))
    .flatMap(({ consent }) => {
      const resource = consent?.resourceId === undefined ? undefined : facts.resources.byId(consent.resourceId);
      if (!consent || !resource) return [];
      const scopes = resource.scopes.map(({ name }) => name).filter((scope) => consent.scopes.includes(scope));
      return scopes.length > 0 ? [{ clientId: consent.clientId, resource, scopes, consent }] : [];
    });

/** The facts as they would be. */
const onceAllowed = (facts: ExchangeFacts, missing: readonly Lack[], spent: readonly Lack[]): ExchangeFacts => {
  const isNew = ({ id }: { id: string }) => missing.some(({ consent }) => consent?.id === id);
  const given = missing.map(({ resource, scopes, consent }) => {
    const held = facts.consents.find(({ id }) => id === consent?.id);
    return { id: resource.id, epoch: 0, resourceId: resource.id, scopes: [...(held?.scopes ?? []), ...scopes] };
  });
  const anew = { round: 0, allowedAt: facts.now, uses: [], asksAgain: false };
  const budgetConsents: BudgetConsent[] = [
    ...given.map(({ id, scopes }) => ({
      ...{ id, resourceId: id, clientId: facts.subject.clientId, scopes, isOrigin: false },
      ...anew,
    })),
    ...facts.budgetConsents.map((one) =>
      spent.some(({ consent }) => consent?.id === one.id) ? { ...one, ...anew } : one,
    ),
  ];
  return { ...facts, consents: [...facts.consents.filter((one) => !isNew(one)), ...given], budgetConsents };
};

/** What is asked for there. Without a scope it is all that can be had, and any consent at all is enough for that. */
const wantedAt = (
  { asked, client, subject }: ExchangeFacts,
  { offered }: Place,
  consent: Consent | undefined,
): readonly string[] => {
  if (asked) return intersectScopes(asked, offered);
  if (consent) return [];
  const carried = intersectScopes(subject.scopes, offered);
  return client.ceiling.length === 0 ? carried : intersectScopes(carried, client.ceiling);
};
