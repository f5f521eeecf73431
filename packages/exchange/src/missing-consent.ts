import { includesAll, intersectScopes } from '@authserver/oauth';
import type { Resource } from '@authserver/store';
import { decide } from './decide.ts';
import type { Consent, ExchangeFacts } from './facts.ts';
import { type Place, placesOf } from './ways.ts';

/** What the user would have to allow the client of the subject token, and where. At each resource some of the scopes. */
export type MissingConsent = { resources: readonly Resource[]; scopes: readonly string[] };

/**
 * What is missing when an exchange is refused for want of consent. `undefined` when the answer of the user would not
 * help: something else would be refused then, or the client of the subject token may not be given as much (`ceiling`, its
 * registered scope). Nobody is asked in vain.
 */
export const missingConsent = (facts: ExchangeFacts, ceiling: readonly string[]): MissingConsent | undefined => {
  const lacking = placesOf(facts).flatMap((place) => {
    const { resource, way } = place;
    if (!resource || way.kind !== 'direct') return [];
    const held = way.consent?.scopes ?? [];
    const scopes = wantedAt(facts, place, way.consent).filter((scope) => !held.includes(scope));
    return scopes.length > 0 ? [{ resource, scopes, consent: way.consent }] : [];
  });
  const scopes = [...new Set(lacking.flatMap((one) => one.scopes))];
  if (lacking.length === 0 || (ceiling.length > 0 && !includesAll(ceiling, scopes))) return undefined;
  const others = facts.consents.filter(({ id }) => !lacking.some(({ consent }) => consent?.id === id));
  const consents = lacking.map((one) => ({
    id: '',
    epoch: 0,
    resourceId: one.resource.id,
    scopes: [...(one.consent?.scopes ?? []), ...one.scopes],
  }));
  const { refusal } = decide({ ...facts, consents: [...others, ...consents] });
  return refusal ? undefined : { resources: lacking.map(({ resource }) => resource), scopes };
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
