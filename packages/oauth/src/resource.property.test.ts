import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { resourceKey, sameResource } from './resource.ts';

const label = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const parts = fc.record({
  scheme: fc.constantFrom('https', 'http', 'com.example.app'),
  host: fc.tuple(label, label).map(([one, two]) => `${one}.${two}`),
  port: fc.constantFrom('', ':8443', ':80', ':443'),
  path: fc.constantFrom('', '/', '/mcp', '/mcp/', '/MCP', '//', '/a/../b', '/%7E', '/%7e', '/a.b'),
  query: fc.constantFrom('', '?', '?a=1', '?A=1', '?a=1&b'),
});
type Parts = { scheme: string; host: string; port: string; path: string; query: string };
const write = ({ scheme, host, port, path, query }: Parts) => `${scheme}://${host}${port}${path}${query}`;
const spelled = (text: string, upper: readonly boolean[]) =>
  [...text].map((character, index) => (upper[index % upper.length] ? character.toUpperCase() : character)).join('');
const cases = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });

test('scheme and host are spelled as one likes, and no path is the root', () => {
  fc.assert(
    fc.property(parts, cases, (resource, upper) => {
      const other = { ...resource, scheme: spelled(resource.scheme, upper), host: spelled(resource.host, upper) };
      assert.ok(sameResource(write(resource), write(other)));
      if (resource.path === '') assert.ok(sameResource(write(resource), write({ ...other, path: '/' })));
      assert.equal(resourceKey(resourceKey(write(other)) ?? ''), resourceKey(write(other)));
    }),
  );
});

/** Two resources that differ in some parts only. */
const pair = fc
  .tuple(parts, parts, fc.subarray(['scheme', 'host', 'port', 'path', 'query'] as const))
  .map(([left, other, differing]): [Parts, Parts] => [
    left,
    { ...left, ...Object.fromEntries(differing.map((name) => [name, other[name]])) },
  ]);

test('everything else counts, byte for byte', () => {
  fc.assert(
    fc.property(pair, ([left, right]) => {
      const root = (path: string) => path || '/';
      const same =
        left.scheme === right.scheme &&
        left.host === right.host &&
        left.port === right.port &&
        root(left.path) === root(right.path) &&
        left.query === right.query;
      assert.equal(sameResource(write(left), write(right)), same);
      assert.equal(sameResource(write(right), write(left)), same);
    }),
  );
});

test('two spellings of one resource are one address to a URL parser', () => {
  const piece = fc.constantFrom(
    ...'https HTTPS : // / \\ ? # @ user User . .. %2e 127.1 a.example A.example :443 mcp MCP [::1] ß K \t'.split(' '),
  );
  const odd = fc.array(piece, { maxLength: 7 }).map((some) => some.join(''));
  const uri = fc.tuple(fc.constantFrom('https://', 'HTTPS://', ''), odd).map((both) => both.join(''));
  const spellings = fc
    .tuple(uri, fc.boolean(), uri)
    .map(([one, folded, other]) => [one, folded ? one.toLowerCase() : other]);
  fc.assert(
    fc.property(spellings, ([left = '', right = '']) => {
      if (!sameResource(left, right)) return;
      const [one, other] = [URL.parse(left), URL.parse(right)];
      // In other schemes the parser keeps the case of a host, which does not count (RFC 3986 §3.2.2).
      if (one && other && /^https?:$/.test(one.protocol)) assert.equal(one.href, other.href);
    }),
    { numRuns: 5_000 },
  );
});

test('a fragment, white space or a relative reference names no resource [R8707-01]', () => {
  fc.assert(
    fc.property(parts, fc.constantFrom('#', '#x', ' ', '\n', '\\', '\u00a0'), fc.nat(60), (resource, bad, at) => {
      const text = write(resource);
      const authority = text.indexOf('://') + 3;
      const position = authority + (at % (text.length - authority + 1));
      const spoiled = text.slice(0, position) + bad + text.slice(position);
      assert.equal(resourceKey(spoiled), undefined);
      assert.equal(sameResource(spoiled, spoiled), false);
      assert.equal(resourceKey(text.slice(text.indexOf('://') + 1)), undefined);
    }),
  );
});
