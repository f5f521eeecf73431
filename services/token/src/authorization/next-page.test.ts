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
  [{ next: 'consent', ticket: 'a.b' }, '/consent/exchange?ticket=a.b'],
  [{ next: 'consent', ticket: 'a&x=//evil.test/#' }, '/consent/exchange?ticket=a%26x%3D%2F%2Fevil.test%2F%23'],
  [
    { next: 'consent', ticket: 'a', return_url: 'https://app.test/?x=1&y=2' },
    '/consent/exchange?ticket=a&return_url=https%3A%2F%2Fapp.test%2F%3Fx%3D1%26y%3D2',
  ],
  [{ next: 'consent', ticket: 'a', return_url: ['x', 'y'] }, '/consent/exchange?ticket=a'],
  [{ next: 'consent' }, undefined],
  [{ next: 'consent', ticket: ['a', 'b'] }, undefined],
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
