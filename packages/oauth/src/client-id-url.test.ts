import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientIdUrlProblem, isClientIdUrl } from './client-id-url.ts';

const good = [
  'https://client.example/client.json',
  'https://client.example:8443/oauth/client',
  'https://client.example/a/',
  'https://client.example/client?version=2', // SHOULD NOT, but may be accepted
  'https://xn--bcher-kva.example/client',
  'https://client.example/%C3%BC',
];
for (const id of good)
  test(`${id} may be a client id [CIMD-01 CIMD-02]`, () => {
    assert.equal(isClientIdUrl(id), true);
    assert.equal(clientIdUrlProblem(id, { allowHttp: false }), undefined);
  });

const bad: [id: string, problem: RegExp][] = [
  ['http://client.example/client.json', /https/],
  ['HTTPS://client.example/client.json', /normal form/],
  ['https://client.example', /path/],
  ['https://client.example/', /path/],
  ['https://client.example//', /path/],
  ['https://client.example/#x', /fragment/],
  ['https://client.example/c#', /fragment/],
  ['https://client.example/./c', /normal form/],
  ['https://client.example/a/../c', /normal form/],
  ['https://client.example/a/%2e%2e/c', /normal form/],
  ['https://client.example/a/%2E/c', /normal form/],
  ['https://client.example/..', /path/],
  ['https://user@client.example/c', /user information/],
  ['https://user:secret@client.example/c', /user information/],
  ['https://@client.example/c', /user information/],
  ['https://trusted.example@evil.example/c', /user information/],
  ['https://Client.example/c', /normal form/],
  ['https://client.example:443/c', /normal form/],
  ['https://client.example./c', /trailing dot/],
  ['https:client.example/c', /normal form/],
  ['https:/client.example/c', /normal form/],
  ['https://client.example\\c', /normal form/],
  ['https://client.example/a\tb', /normal form/],
  [' https://client.example/c', /normal form/],
  ['https://bücher.example/c', /normal form/],
  ['https://2130706433/c', /normal form/],
  ['https://0x7f.1/c', /normal form/],
  ['https://0177.0.0.1/c', /normal form/],
  ['https://127.1/c', /normal form/],
  ['https://[::ffff:127.0.0.1]/c', /normal form/],
  ['https://[fe80::1%25eth0]/c', /not a valid URL/],
  ['https://client.example:99999/c', /not a valid URL/],
  [`https://client.example/${'c'.repeat(500)}`, /longer/],
];
for (const [id, problem] of bad)
  test(`${JSON.stringify(id.slice(0, 60))} is no client id [CIMD-01]`, () =>
    assert.match(clientIdUrlProblem(id, { allowHttp: false }) ?? '', problem));

test('http is for whoever allows it', () => {
  assert.equal(clientIdUrlProblem('http://localhost:3000/client.json', { allowHttp: true }), undefined);
  assert.match(clientIdUrlProblem('ftp://localhost/client.json', { allowHttp: true }) ?? '', /https/);
});

test('the ids this server issues are no URLs [CIMD-22]', () => {
  for (const id of ['client_abc', 'urn:x', 'httpsx', 'example.com/https://']) assert.equal(isClientIdUrl(id), false);
});
