import type { FrontingLinkView } from '@authserver/admin-api';
import type { FrontingLink } from '@authserver/store';
import type { z } from 'zod';
import type { Change } from './handler.ts';

export const toLinkView = (link: FrontingLink): z.output<typeof FrontingLinkView> => ({
  source_slug: link.sourceSlug,
  target_slug: link.targetSlug,
  scope_map: link.scopeMap,
  created_at: link.createdAt.toISOString(),
  updated_at: link.updatedAt.toISOString(),
  created_by: link.createdBy,
});

export const feedOf = ({ sourceSlug, targetSlug }: FrontingLink) =>
  ({ kind: 'fronting_link', key: `${sourceSlug}/${targetSlug}` }) as const;

/** What the audit trail says of every change of a link; the scopes as `a->b+c,d->e`. */
export const named = ({ sourceSlug, targetSlug, scopeMap }: FrontingLink) => ({
  source: sourceSlug,
  target: targetSlug,
  scopes: Object.entries(scopeMap)
    .map(([name, mapped]) => `${name}->${mapped.join('+')}`)
    .join(','),
});

/** A link that goes by itself, or because of `reason`. */
export const linkDeleted = (link: FrontingLink, reason?: string): Change => ({
  action: 'fronting_link.deleted',
  feed: feedOf(link),
  details: { ...named(link), ...(reason === undefined ? {} : { reason }), before: toLinkView(link) },
});
