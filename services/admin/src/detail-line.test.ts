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
