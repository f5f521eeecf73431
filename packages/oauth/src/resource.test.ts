import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceKey, sameResource, slugPattern } from './resource.ts';

const keys: [uri: string, key: string | undefined][] = [
  ['https://mcp.example.com/mcp', 'https://mcp.example.com/mcp'],
  ['https://MCP.example.com/MCP', 'https://mcp.example.com/MCP'],
  ['HTTPS://mcp.example.com', 'https://mcp.example.com/'],
  ['https://mcp.example.com?x=Y', 'https://mcp.example.com/?x=Y'],
  ['https://mcp.example.com:8443/mcp/', 'https://mcp.example.com:8443/mcp/'],
  ['http://localhost:3000/mcp', 'http://localhost:3000/mcp'],
  ['https://mcp.example.com/%7Emcp', 'https://mcp.example.com/%7Emcp'],
  ['https://mcp.example.com/mcp#x', undefined],
  ['https://mcp.example.com/m cp', undefined],
  ['https://mcp.example.com\\mcp', undefined],
  ['https://user@mcp.example.com/mcp', undefined],
  ['mcp.example.com/mcp', undefined],
  ['/mcp', undefined],
  ['urn:example:mcp', undefined],
  ['https://', undefined],
  ['', undefined],
  [`https://mcp.example.com/${'a'.repeat(2048)}`, undefined],
];

for (const [uri, key] of keys)
  test(`${JSON.stringify(uri).slice(0, 70)} ${key ? 'is a resource' : 'names no resource'} (RFC 8707 §2)`, () =>
    assert.equal(resourceKey(uri), key));

test('two spellings of one host are one resource; another path or port is another', () => {
  assert.ok(sameResource('https://mcp.example.com', 'https://MCP.EXAMPLE.COM/'));
  for (const other of ['https://mcp.example.com/mcp/', 'https://mcp.example.com:443/mcp', 'http://mcp.example.com/mcp'])
    assert.ok(!sameResource('https://mcp.example.com/mcp', other), other);
  assert.ok(!sameResource('nonsense', 'nonsense'), 'what names nothing equals nothing');
});

test('a slug is a short lower-case label', () => {
  for (const slug of ['a', 'my-mcp', '0', 'a'.repeat(64)]) assert.match(slug, slugPattern);
  for (const slug of ['', '-a', 'A', 'a_b', 'a/b', 'a'.repeat(65), 'a\n']) assert.doesNotMatch(slug, slugPattern);
});

/** Every combination of parts that may and may not be written differently. */
const hosts = ['mcp.example.com', 'MCP.example.com', 'mcp.EXAMPLE.com'];
const schemes = ['https', 'HTTPS', 'Https'];
const same = schemes.flatMap((scheme) => hosts.map((host) => `${scheme}://${host}`));
const paths = [
  '',
  '/',
  '/mcp',
  '/mcp/',
  '/MCP',
  '/%6dcp',
  '/mcp//',
  '/./mcp',
  '/mcp?',
  '/mcp?a=1',
  '/mcp?a=1&b=2',
  '/mcp?b=2&a=1',
  '?a=1',
  ':443/mcp',
  ':8443/mcp',
];

test('only scheme, host and an empty path may be spelled differently, whatever follows them (RFC 8707 §2)', () => {
  const meaning = (path: string) => (path === '' || path.startsWith('?') ? `/${path}` : path);
  for (const one of paths)
    for (const other of paths)
      for (const left of same)
        for (const right of same)
          assert.equal(
            sameResource(left + one, right + other),
            meaning(one) === meaning(other),
            `${left}${one} and ${right}${other}`,
          );
});

test('the key of a key is itself, and comparing does not depend on the side', () => {
  for (const uri of same.flatMap((base) => paths.map((path) => base + path))) {
    const key = resourceKey(uri);
    assert.ok(key);
    assert.equal(resourceKey(key), key);
    assert.ok(sameResource(uri, key) && sameResource(key, uri));
  }
});
