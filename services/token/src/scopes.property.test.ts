import assert from 'node:assert/strict';
import { test } from 'node:test';
import { includesAll } from '@authserver/oauth';
import type { Client, GrantedTarget, Resource } from '@authserver/store';
import fc from 'fast-check';
import type { ResourceCatalog } from './lookups.ts';
import { defaultScopes, grantableScopes, offeredAt, underCeiling } from './scopes.ts';

const scope = fc.constantFrom('a', 'b', 'c', 'd');
const scopes = fc.uniqueArray(scope);
const ids = ['r1', 'r2', 'r3'] as const;

/** Three resources, of which the last may be gone, what was granted at each, and a client with or without a ceiling. */
const world = fc
  .record({
    catalogs: fc.tuple(scopes, scopes, scopes),
    marked: scopes,
    granted: fc.tuple(scopes, scopes, scopes),
    gone: fc.boolean(),
    ceiling: scopes,
  })
  .map(({ catalogs, marked, granted, gone, ceiling }) => {
    const all = ids
      .map((id, index) => ({
        id,
        scopes: (catalogs[index] ?? []).map((name) => ({ name, default: marked.includes(name) })),
      }))
      .slice(0, gone ? 2 : 3) as unknown as Resource[];
    const catalog: ResourceCatalog = {
      all,
      find: () => undefined,
      byId: (id) => all.find((resource) => resource.id === id),
      scopes: [...new Set(all.flatMap((resource) => resource.scopes.map(({ name }) => name)))],
    };
    const targets = ids.map((resourceId, index) => ({
      resourceId,
      scopes: granted[index],
    })) as unknown as GrantedTarget[];
    return { catalog, targets, client: { ceiling } as unknown as Client };
  });
const some = fc.subarray([0, 1, 2]);

test('a ceiling cuts, and none does not', () => {
  fc.assert(
    fc.property(scopes, scopes, (asked, ceiling) => {
      const left = underCeiling(asked, { ceiling } as unknown as Client);
      assert.ok(includesAll(asked, left));
      if (ceiling.length === 0) assert.deepEqual(left, asked);
      else
        assert.deepEqual(
          left,
          asked.filter((name) => ceiling.includes(name)),
        );
    }),
  );
});

test('a token never says more than was granted, is offered today, and the client may have', () => {
  fc.assert(
    fc.property(world, some, ({ catalog, targets, client }, chosen) => {
      const named = targets.filter((_, index) => chosen.includes(index));
      const grantable = grantableScopes(catalog, named, client);
      assert.equal(new Set(grantable).size, grantable.length);
      for (const name of grantable) {
        assert.ok(client.ceiling.length === 0 || client.ceiling.includes(name));
        const giving = named.filter((target) => target.scopes.includes(name));
        assert.ok(giving.some(({ resourceId }) => offeredAt(catalog, resourceId, client).includes(name)));
        // Wherever the scope means something, it was granted there.
        for (const target of named)
          assert.ok(target.scopes.includes(name) || !offeredAt(catalog, target.resourceId, client).includes(name));
      }
    }),
  );
});

test('the order of targets means nothing, and naming fewer takes nothing away that they give', () => {
  fc.assert(
    fc.property(world, some, ({ catalog, targets, client }, chosen) => {
      const named = targets.filter((_, index) => chosen.includes(index));
      const grantable = grantableScopes(catalog, named, client);
      assert.deepEqual([...grantableScopes(catalog, named.toReversed(), client)].sort(), [...grantable].sort());
      for (const target of named) {
        const alone = grantableScopes(catalog, [target], client);
        for (const name of grantable)
          if (target.scopes.includes(name) && offeredAt(catalog, target.resourceId, client).includes(name))
            assert.ok(alone.includes(name));
      }
    }),
  );
});

test('a default is something that is offered, at the resources that are named', () => {
  fc.assert(
    fc.property(world, some, ({ catalog }, chosen) => {
      const named = catalog.all.filter((_, index) => chosen.includes(index));
      const offered = (named.length === 0 ? catalog.all : named).flatMap((one) => one.scopes.map(({ name }) => name));
      const defaults = defaultScopes(catalog, named);
      assert.ok(includesAll(offered, defaults));
      assert.equal(defaults.length > 0, offered.length > 0);
      assert.equal(new Set(defaults).size, defaults.length);
    }),
  );
});
