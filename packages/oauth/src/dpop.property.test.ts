import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sameHtu } from './dpop.ts';

/** How a URL parser sees an address, with escapes of what needs none undone; it was made by others than `sameHtu`. */
const address = (text: string): string | undefined => {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return undefined;
  const path = url.pathname.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase();
  });
  return url.origin + path;
};

const segment = fc.constantFrom(
  'oauth',
  'token',
  'Token',
  '.',
  '..',
  '',
  '%74oken',
  '%2e',
  '%2F',
  '%2f',
  '%C3%9f',
  '~',
);
const part = fc.record({
  scheme: fc.constantFrom('https', 'HTTPS', 'http'),
  host: fc.constantFrom('as.example', 'AS.example', 'as2.example', '[::1]', 'localhost'),
  port: fc.constantFrom('', ':', ':443', ':0443', ':80', ':8443'),
  path: fc.array(segment, { maxLength: 5 }).map((segments) => segments.map((one) => `/${one}`).join('')),
  tail: fc.constantFrom('', '?', '?x=1', '#f', '?x#f'),
});
/** Two addresses that differ in some parts only, or in the spelling of the path. */
const pair = fc
  .tuple(part, part, fc.subarray(['scheme', 'host', 'port', 'path', 'tail'] as const), fc.boolean())
  .map(([left, other, differing, lower]): [Part, Part] => {
    const right = { ...left, ...Object.fromEntries(differing.map((name) => [name, other[name]])) };
    return [left, lower ? { ...right, path: right.path.replaceAll('%2F', '%2f') } : right];
  });
type Part = { scheme: string; host: string; port: string; path: string; tail: string };
const write = ({ scheme, host, port, path, tail }: Part) => `${scheme}://${host}${port}${path}${tail}`;

test('two addresses are one exactly when a URL parser says so (RFC 9449 §4.3) [R9449-08]', () => {
  fc.assert(
    fc.property(pair, ([left, right]) => {
      const [one, other] = [write(left), write(right)];
      assert.equal(sameHtu(one, other), address(one) === address(other), `${one} ${other}`);
    }),
    { numRuns: 5_000 },
  );
});

test('query and fragment do not count, everything before them does', () => {
  fc.assert(
    fc.property(part, fc.constantFrom('', '?a', '?a=/b#c', '#d'), (one, tail) => {
      assert.ok(sameHtu(write(one), write({ ...one, tail })));
      assert.ok(!sameHtu(write(one), write({ ...one, path: `${one.path}/x` })));
    }),
  );
});

test('whatever is no plain address matches nothing', () => {
  const endpoint = 'https://as.example/oauth/token';
  const noise = fc.oneof(
    fc.nat(0xffff).map((unit) => String.fromCharCode(unit)),
    fc.constantFrom('\\', ' ', '\t', '\n', '@', '%', '%zz', 'ß', '。', '\0', '"', '|', 'user@', '//'),
  );
  fc.assert(
    fc.property(noise, fc.nat(endpoint.length), (extra, at) => {
      const spoiled = endpoint.slice(0, at) + extra + endpoint.slice(at);
      if (sameHtu(spoiled, endpoint)) assert.equal(address(spoiled), address(endpoint), spoiled);
    }),
    { numRuns: 5_000 },
  );
});
