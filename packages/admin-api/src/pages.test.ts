import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdminRequest, createAdminClient } from './client.ts';
import { nextCursor, pages } from './pages.ts';

const serving = (answers: { body: unknown; link?: string }[]) => {
  const requests: AdminRequest[] = [];
  const admin = createAdminClient({
    transport: async (request) => {
      requests.push(request);
      const { body, link } = answers[requests.length - 1] ?? { body: [] };
      return { status: 200, headers: link === undefined ? {} : { link }, body };
    },
  });
  return { admin, requests };
};

test('pages go on while there is a Link, with what was asked for and without the offset', async () => {
  const { admin, requests } = serving([
    { body: ['a'], link: '</admin/users?role=user&limit=1&cursor=x%2By>; rel="next"' },
    { body: ['b'], link: '</proxied/admin/users?cursor=z>; rel="next"' },
    { body: ['c'] },
  ]);
  const found: unknown[] = [];
  for await (const page of pages(admin.user.list, { query: { role: 'user', limit: 1, offset: 7 } }))
    found.push(...page);
  assert.deepEqual(found, ['a', 'b', 'c']);
  assert.deepEqual(
    requests.map(({ query }) => query),
    [
      { role: 'user', limit: '1', offset: '7' },
      { role: 'user', limit: '1', cursor: 'x+y' },
      { role: 'user', limit: '1', cursor: 'z' },
    ],
  );
});

test('a page is only asked for when somebody wants it', async () => {
  const { admin, requests } = serving([{ body: ['a'], link: '</admin/clients?cursor=x>; rel="next"' }, { body: [] }]);
  for await (const page of pages(admin.client.list)) {
    assert.deepEqual(page, ['a']);
    break;
  }
  assert.equal(requests.length, 1);
});

test('without a way to the next page there is a complaint, not a list that is too short', async () => {
  const admin = createAdminClient({ transport: async () => ({ status: 200, body: [] }) });
  await assert.rejects(pages(admin.user.list).next(), TypeError);
  await assert.rejects(pages(async () => []).next(), TypeError);
});

for (const [link, cursor] of [
  ['</admin/users?cursor=a>; rel="next"', 'a'],
  ['</admin/users?cursor=a>; rel=next', 'a'],
  ['</admin/users?cursor=a>; rel="prev", </admin/users?cursor=b>; rel="next"', 'b'],
  ['</admin/users?cursor=a>; rel="nextish"', undefined],
  ['</admin/users>; rel="next"', undefined],
  ['nonsense', undefined],
  [undefined, undefined],
] as const)
  test(`the cursor of ${link} is ${cursor}`, () => assert.equal(nextCursor(link), cursor));
