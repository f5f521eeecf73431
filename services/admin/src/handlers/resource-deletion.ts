import type { ResourceEnd } from '@authserver/admin-api';
import type { FrontingLink, Repositories, Resource } from '@authserver/store';
import type { z } from 'zod';
import { linkDeleted, toLinkView } from './fronting-view.ts';
import type { Call } from './handler.ts';
import { ChangedMeanwhile, conflict } from './refusals.ts';
import { routes } from './resource-links.ts';

const mostCounted = 100_000;

/**
 * The links that go with a resource, deleted and recorded. The caller holds the lock of all links, so none comes after.
 *
 * @throws {Problem} `conflict` with the links as `dependents`, when they are not to go
 */
export const endLinks = async (
  { store, record }: Pick<Call, 'store' | 'record'>,
  { id }: Resource,
  cascade: boolean,
): Promise<FrontingLink[]> => {
  const links = await store.frontingLinks.listOf(id);
  if (links.length > 0 && !cascade)
    throw conflict(`Fronting links use the resource (${routes(links)}); delete with cascade=true to delete them too.`, {
      dependents: links.map(toLinkView),
    });
  for (const link of links) {
    await store.frontingLinks.delete(link);
    record(linkDeleted(link, 'resource_cascade'));
  }
  return links;
};

/**
 * Ends a resource and everything that rests on it, and says what that was. What was ever allowed or issued names the
 * resource, so then its row stays, archived; without such a history it is deleted.
 *
 * The consents are locked first, as everybody does, and ended when the resource is archived: one that came in between is
 * then ended with them, and after that none can come. A token that is issued from a stale cache in this very moment, for a
 * resource without any history, is dead like the resource and explained by the audit event alone.
 */
export const endResource = async (
  store: Repositories,
  { id }: Resource,
  now: Date,
): Promise<Omit<z.output<typeof ResourceEnd>, 'dependents'>> => {
  await store.consentGrants.lockOf({ resourceId: id });
  const issuances = await store.issuances.countOfResource(id, mostCounted);
  const archived = issuances > 0 || (await store.consentGrants.existAt(id));
  const ended = archived ? await store.resources.archive(id, now) : await store.resources.delete(id);
  if (!ended) throw new ChangedMeanwhile('resource');
  const consents = await store.consentGrants.revokeAllOfResource(id, now);
  const families = await store.tokenFamilies.revokeAll({ resourceId: id }, 'resource_deleted', now);
  return { consents, families, issuances, archived };
};
