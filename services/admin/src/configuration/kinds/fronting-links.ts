import { entities, FrontingLinkDeclaration } from '@authserver/admin-api';
import type { FrontingLink, Repositories } from '@authserver/store';
import type { z } from 'zod';
import type { Handlers } from '../../handlers/handler.ts';
import type { Found, Kind } from '../kind.ts';

const query = { dry_run: false };
type Wanted = z.output<typeof FrontingLinkDeclaration>;

export const frontingLinkKind = ({ handlers: { fronting } }: { handlers: Pick<Handlers, 'fronting'> }): Kind => {
  const { create, update, delete: remove } = entities.fronting.operations;
  return {
    name: 'fronting_link',
    list: 'fronting_links',
    schema: FrontingLinkDeclaration,
    keyOf: ({ source, target }) => `${source}/${target}`,
    references: ({ source, target }) => [
      { member: 'source', kind: 'resource', key: String(source) },
      { member: 'target', kind: 'resource', key: String(target) },
    ],
    optional: [],
    changeable: ['scope_map'],
    operations: { create, change: update, delete: remove },
    deletedFirst: true,
    retried: true,

    async find(store, { keys, identities }) {
      const all = await everyLink(store);
      return all.filter(({ key, identity }) => keys.includes(key) || identities.includes(identity));
    },

    async *pages(store) {
      yield await everyLink(store);
    },

    async create(call, wanted) {
      const created = await fronting.create({ ...call, params: {}, query, body: wanted as Wanted });
      const source = await call.store.resources.findBySlug(created.source_slug);
      const target = await call.store.resources.findBySlug(created.target_slug);
      return { identity: identityOf(source?.id, target?.id, created.created_at) };
    },

    async change(call, { params: { source = '', target = '' } }, wanted) {
      const body = { scope_map: (wanted as Wanted).scope_map };
      await fronting.update({ ...call, params: { source, target }, query, body });
    },

    async delete(call, { params: { source = '', target = '' } }) {
      await fronting.delete({ ...call, params: { source, target }, query, body: undefined });
    },
  };
};

const everyLink = async ({ frontingLinks }: Repositories): Promise<Found[]> => {
  const all: FrontingLink[] = [];
  for (let after: string | undefined; ; ) {
    const { rows, next } = await frontingLinks.list({}, { limit: 500, offset: 0, after });
    all.push(...rows);
    if (next === undefined) return all.map(toFound);
    after = next;
  }
};

const identityOf = (sourceId: string | undefined, targetId: string | undefined, createdAt: string): string =>
  `${sourceId}/${targetId}/${createdAt}`;

const toFound = (link: FrontingLink): Found => ({
  key: `${link.sourceSlug}/${link.targetSlug}`,
  identity: identityOf(link.sourceId, link.targetId, link.createdAt.toISOString()),
  params: { source: link.sourceSlug, target: link.targetSlug },
  declaration: { source: link.sourceSlug, target: link.targetSlug, scope_map: link.scopeMap },
});
