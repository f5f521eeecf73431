import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePod, podsAt } from './pods.ts';

const cases: Record<string, string> = {
  'token-internal.auth.svc': 'http://token-internal.auth.svc:9002/metrics',
  '10.0.0.7:9102': 'http://10.0.0.7:9102/metrics',
  'proxy:80': 'http://proxy/metrics',
  '[::1]': 'http://[::1]:9002/metrics',
  '[::1]:80/own/path': 'http://[::1]/own/path',
  'http://pod': 'http://pod/metrics',
  'https://pod:9002/': 'https://pod:9002/metrics',
  'http://pod:9001/observe': 'http://pod:9001/observe',
};
for (const [text, url] of Object.entries(cases))
  test(`--pod ${text}`, () => {
    assert.equal(parsePod(text).href, url);
  });

test('an address is one process, and so is this machine, whatever it is called', async () => {
  for (const text of ['127.0.0.1', '[::1]:1', 'localhost', 'a.localhost:80']) {
    const url = parsePod(text);
    assert.deepEqual(await podsAt(url), [{ name: url.host, url }]);
  }
});

test('a name that nobody knows is an error', async () => {
  await assert.rejects(podsAt(parsePod('nowhere.invalid')), { code: /ENOTFOUND|EAI_AGAIN/ });
});
