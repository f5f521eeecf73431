import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutboundError } from './errors.ts';
import { readTarget } from './target.ts';

const strict = { allowHttp: false, allowPrivateAddresses: false };
const local = { allowHttp: true, allowPrivateAddresses: true };

test('where a URL leads', () => {
  for (const url of [
    'https://client.example/c',
    'https://client.example:8443/c',
    'https://1.1.1.1/c',
    'https://[2606:4700::1]/c',
  ])
    assert.equal(readTarget(url, strict).url.href, url);
  assert.deepEqual(
    { ...readTarget('https://[2606:4700::1]/', strict), url: '' },
    { url: '', host: '2606:4700::1', isAddress: true },
  );
  for (const url of ['http://localhost:3000/c', 'http://127.0.0.1/c', 'http://[::1]:3000/c', 'https://10.0.0.1/c'])
    assert.doesNotThrow(() => readTarget(url, local), url);
});

const refused: [url: string, why: RegExp][] = [
  ['http://client.example/', /https/],
  ['ftp://client.example/', /https/],
  ['file:///etc/passwd', /https/],
  ['gopher://client.example/', /https/],
  ['no url', /not a URL/],
  ['https://user@client.example/', /user information/],
  ['https://:secret@client.example/', /user information/],
  ['https://client.example./', /trailing dot/],
  ['https://localhost/', /this machine/],
  ['https://LOCALHOST/', /this machine/],
  ['https://a.localhost/', /this machine/],
  ['https://localhost./', /trailing dot/],
  ['https://127.0.0.1/', /public internet/],
  ['https://127.1/', /public internet/],
  ['https://2130706433/', /public internet/],
  ['https://0x7f000001/', /public internet/],
  ['https://0177.0.0.1/', /public internet/],
  ['https://0/', /public internet/],
  ['https://169.254.169.254/latest/meta-data/', /public internet/],
  ['https://0xa9fea9fe/', /public internet/],
  ['https://①⑥⑨.254.169.254/', /public internet/],
  ['https://10.0.0.1/', /public internet/],
  ['https://[::1]/', /public internet/],
  ['https://[::ffff:127.0.0.1]/', /public internet/],
  ['https://[::ffff:8.8.8.8]/', /public internet/],
  ['https://[fd00::1]/', /public internet/],
  ['https://[fe80::1%25eth0]/', /not a URL/],
  ['https://client.example:22/', /port/],
  ['https://client.example:80/', /port/],
  ['https://client.example:6667/', /port/],
];
for (const [url, why] of refused)
  test(`${url} is not gone to [CIMD-18 threat G03]`, () => {
    assert.throws(
      () => readTarget(url, strict),
      (error: unknown) => {
        assert.ok(error instanceof OutboundError);
        assert.equal(error.failure, 'forbidden');
        assert.match(error.message, why);
        return true;
      },
    );
  });
