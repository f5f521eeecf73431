import type { FrontingLink, Repositories, Resource, ScopeMap } from '@authserver/store';
import { circleClosedBy } from '../fronting-circle.ts';
import { feedOf, linkDeleted, named, toLinkView } from './fronting-view.ts';
import type { HandlersOf } from './handler.ts';
import { ChangedMeanwhile, conflict, invalid, notFound } from './refusals.ts';
import { requireResource } from './resources.ts';

export const frontingHandlers = (): HandlersOf<'fronting'> => ({
  async list({ query: { source, target, cursor, limit, offset }, store, page }) {
    const filter = { ...(source === undefined ? {} : { source }), ...(target === undefined ? {} : { target }) };
    const found = await store.frontingLinks.list(filter, { limit, offset, after: cursor });
    page(found);
    return found.rows.map(toLinkView);
  },

  async show({ params, store }) {
    const { id, slug } = await requireResource(store, params.slug);
    const links = await store.frontingLinks.listOf(id);
    return {
      slug,
      fronts: links.filter(({ sourceId }) => sourceId === id).map(toLinkView),
      fronted_by: links.filter(({ targetId }) => targetId === id).map(toLinkView),
    };
  },

  async get({ params, store, etag }) {
    const link = await requireLink(store, params);
    etag(link.version);
    return toLinkView(link);
  },

  /** The order of the checks is part of what the API promises: what is refused first is what is most wrong. */
  async create({ body, store, record, etag, caller }) {
    await store.frontingLinks.lockAll();
    if (body.source === body.target) throw invalid(['target: must not be the source']);
    const source = await store.resources.findBySlug(body.source);
    const target = await store.resources.findBySlug(body.target);
    if (!source || !target)
      throw invalid([
        ...(source ? [] : [`source: there is no resource ${body.source}`]),
        ...(target ? [] : [`target: there is no resource ${body.target}`]),
      ]);
    if (source.backendKind !== 'mint') throw invalid(['source: must be a mint resource']);
    requireKnownScopes(body.scope_map, source, target);
    const key = { sourceId: source.id, targetId: target.id };
    if (await store.frontingLinks.find(key)) throw conflict('There is a link from this source to this target already.');
    const circle = circleClosedBy(body, await store.frontingLinks.edges());
    if (circle) throw invalid([`target: the links would lead round in a circle: ${circle.join(' -> ')}`]);

    const link = await store.frontingLinks.insert({ ...key, scopeMap: body.scope_map, createdBy: caller.actorId });
    record({
      action: 'fronting_link.created',
      feed: feedOf(link),
      details: { ...named(link), after: toLinkView(link) },
    });
    etag(link.version);
    return toLinkView(link);
  },

  async update({ params, body, store, record, match, etag }) {
    await store.frontingLinks.lockAll();
    const before = await requireLink(store, params);
    match(before.version);
    etag(before.version);
    if (body.scope_map === undefined) return toLinkView(before);
    const source = await requireResource(store, before.sourceId);
    const target = await requireResource(store, before.targetId);
    requireKnownScopes(body.scope_map, source, target);
    const after = await store.frontingLinks.update({ ...before, scopeMap: body.scope_map });
    if (!after) throw new ChangedMeanwhile('link');
    record({
      action: 'fronting_link.patched',
      feed: feedOf(after),
      details: { ...named(after), before: toLinkView(before), after: toLinkView(after) },
    });
    etag(after.version);
    return toLinkView(after);
  },

  async delete({ params, store, record, match }) {
    const before = await requireLink(store, params);
    match(before.version);
    if (!(await store.frontingLinks.delete(before))) throw new ChangedMeanwhile('link');
    record(linkDeleted(before));
  },
});

const requireLink = async (
  { resources, frontingLinks }: Pick<Repositories, 'resources' | 'frontingLinks'>,
  slugs: { source: string; target: string },
): Promise<FrontingLink> => {
  const source = await resources.findBySlug(slugs.source);
  const target = await resources.findBySlug(slugs.target);
  const found = source && target && (await frontingLinks.find({ sourceId: source.id, targetId: target.id }));
  if (!found) throw notFound('link');
  return found;
};

const requireKnownScopes = (map: ScopeMap, source: Resource, target: Resource): void => {
  const has = ({ scopes }: Resource, name: string) => scopes.some((scope) => scope.name === name);
  const problems = [
    ...Object.keys(map)
      .filter((name) => !has(source, name))
      .map((name) => `scope_map: the source has no scope ${name}`),
    ...[...new Set(Object.values(map).flat())]
      .filter((name) => !has(target, name))
      .map((name) => `scope_map: the target has no scope ${name}`),
  ];
  if (problems.length > 0) throw invalid(problems);
};
