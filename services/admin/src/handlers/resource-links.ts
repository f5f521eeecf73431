import { Problem } from '@authserver/http';
import type { FrontingLink, Resource } from '@authserver/store';
import { toLinkView } from './fronting-view.ts';

/**
 * A link is made of the slugs, kinds and scopes of its resources: tokens name the source by its slug, and a mapped scope
 * that is gone would silently grant nothing.
 *
 * @throws {Problem} `invalid_request` naming the links a change would break
 */
export const requireLinksKept = (before: Resource, after: Resource, links: readonly FrontingLink[]): void => {
  if (links.length === 0) return;
  const gone = before.scopes
    .map(({ name }) => name)
    .filter((name) => !after.scopes.some((scope) => scope.name === name));
  const mapped = links.flatMap((link) => {
    const scopes = gone.filter((name) => usedBy(link, before, name));
    return scopes.length > 0 ? [{ link, scopes }] : [];
  });
  const problems = [
    ...(before.slug === after.slug ? [] : [`slug: fronting links name it (${routes(links)})`]),
    ...(before.backendKind === after.backendKind ? [] : [`backend_kind: fronting links rest on it (${routes(links)})`]),
    ...mapped.map(({ link, scopes }) => `scopes: the link ${routes([link])} maps ${scopes.join(', ')}`),
  ];
  if (problems.length === 0) return;
  const dependents = problems.every((problem) => problem.startsWith('scopes')) ? mapped.map(({ link }) => link) : links;
  throw new Problem('invalid_request', problems.join('; '), { extra: { dependents: dependents.map(toLinkView) } });
};

export const routes = (links: readonly FrontingLink[]): string =>
  links.map(({ sourceSlug, targetSlug }) => `${sourceSlug} -> ${targetSlug}`).join(', ');

const usedBy = ({ sourceId, scopeMap }: FrontingLink, { id }: Resource, scope: string): boolean =>
  sourceId === id ? Object.hasOwn(scopeMap, scope) : Object.values(scopeMap).flat().includes(scope);
