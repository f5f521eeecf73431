import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loginBefore, nextPageFields, pathOfNext, readNextPage } from './next-page.ts';

for (const [fields, path] of [
  [{ next: 'account' }, '/account'],
  [{ next: 'account', user_code: 'WDJB-MJHT' }, '/account'],
  [{ next: 'device' }, '/device'],
  [{ next: 'device', user_code: 'wdjbmjht' }, '/device?user_code=WDJB-MJHT'],
  [{ next: 'device', user_code: 'https://evil.test/' }, '/device'],
  [{ next: 'device', user_code: ['WDJB-MJHT', 'WDJB-MJHT'] }, '/device'],
  [{ next: '//evil.test' }, undefined],
  [{ next: 'https://evil.test/' }, undefined],
  [{ next: '/account' }, undefined],
  [{ next: ['account', 'account'] }, undefined],
  [{ next: 'constructor' }, undefined],
  [{}, undefined],
] as const)
  test(`${JSON.stringify(fields)} leads to ${path}`, () => {
    const page = readNextPage(fields as Record<string, string | string[]>);
    assert.equal(page && pathOfNext(page), path);
    if (page) assert.deepEqual(readNextPage(nextPageFields(page)), page, 'it survives the form');
  });

test('the sign-in page knows where to go on', () =>
  assert.equal(loginBefore({ name: 'device', userCode: 'WDJBMJHT' }), '/login?next=device&user_code=WDJB-MJHT'));
