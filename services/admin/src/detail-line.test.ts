import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detailLine } from './detail-line.ts';

test('details as key=value', () => {
  const cases: [Record<string, unknown>, string][] = [
    [{}, ''],
    [{ user: 'u1', force: true, revoked: 2 }, 'user=u1 force=true revoked=2'],
    [{ name: 'My App', after: { name: 'My App' } }, 'name="My App"'],
    [{ name: 'a" force=true' }, 'name="a\\" force=true"'],
    [{ name: '', gone: undefined }, 'name=""'],
  ];
  for (const [details, line] of cases) assert.equal(detailLine(details), line);
});

test('what changed between before and after is shown, what stayed is not', () => {
  const before = { name: 'Old', scopes: ['a'], status: 'active', updated_at: '1' };
  const after = { name: 'New name', scopes: ['a', 'b'], status: 'active', updated_at: '2' };
  assert.equal(detailLine({ id: 'x', before, after }), 'id=x name=Old->"New name" scopes=[a]->[a,b]');
  assert.equal(detailLine({ before: { mode: 'open' }, after: { mode: 'admin_only' } }), 'mode=open->admin_only');
  assert.equal(detailLine({ after: { name: 'x' } }), '');
});

test('lists and members of members read like the rest', () => {
  assert.equal(detailLine({ resource: 'r', scopes: ['a', 'b c', 'd,e'] }), 'resource=r scopes=[a,"b c","d,e"]');
  assert.equal(detailLine({ scopes: [] }), 'scopes=[]');
  const before = {
    policy: { runtime: { client_ids: [] }, exchange: { client_ids: ['a'] } },
    gone: 'x',
    list: [{ n: 1 }],
  };
  const after = { policy: { runtime: { client_ids: ['b'] }, exchange: { client_ids: ['a'] } }, list: [] };
  assert.equal(
    detailLine({ before, after }),
    String.raw`policy.runtime.client_ids=[]->[b] list="[{\"n\":1}]"->[] gone=x->null`,
  );
});
