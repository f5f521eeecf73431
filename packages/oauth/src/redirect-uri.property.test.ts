/** Two other readings of a URI, RFC 3986 and the one browsers use: where they disagree, we must have refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRegisteredRedirectUri, redirectKind, withResponseParams } from './redirect-uri.ts';

/** RFC 3986 appendix B, with the authority taken apart by §3.2. */
const byRfc3986 = (text: string) => {
  const [, scheme = '', authority, path = '', query, fragment] =
    /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text) ?? [];
  const [, user, host = '', port] = /^(?:(.*)@)?(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(authority ?? '') ?? [];
  return { scheme: scheme.toLowerCase(), authority, user, host: host.toLowerCase(), port, path, query, fragment };
};

/** Pieces that parsers are known to read in different ways. */
const piece = fc.constantFrom(
  ...'http https HTTP javascript app com.example.app : :// / // \\ ? # @ . .. %2e %2f %5c %00 %zz & = ; , * ~ ^ | `'.split(
    ' ',
  ),
  ...[
    'localhost',
    '127.0.0.1',
    '127.1',
    '0x7f.1',
    '2130706433',
    '[::1]',
    '[::ffff:7f00:1]',
    'app.example.com',
    'xn--a',
  ],
  ...['user', 'cb', ':443', ':80', ':0', ':8080', ':65536', 'evil.example', 'code=x', 'state', ' ', '\t', '\n', '\0'],
  ...['。', 'ß', '\u202e', '\ud800', '１２７', 'K'],
);
const odd = fc.array(fc.oneof({ weight: 4, arbitrary: piece }, fc.string({ maxLength: 3 })), { maxLength: 9 });
const host = fc.constantFrom('localhost', '127.0.0.1', '[::1]', 'app.example.com', '127.1', 'a.example', 'LOCALHOST');
const nearlyGood = fc
  .tuple(fc.constantFrom('http://', 'https://', 'com.example.app:/', 'http:/', 'HTTPS://'), host, odd)
  .map(([scheme, name, rest]) => `${scheme}${name}${rest.join('')}`);
const uri = fc.oneof(
  nearlyGood,
  odd.map((parts) => parts.join('')),
);

test('what may be registered leads to the same place for every parser', () => {
  fc.assert(
    fc.property(uri, (text) => {
      const kind = redirectKind(text);
      if (kind === undefined) return;
      const plain = byRfc3986(text);
      const browser = new URL(text);
      assert.equal(`${plain.scheme}:`, browser.protocol);
      assert.equal(plain.fragment, undefined);
      assert.equal(browser.hash, '');
      if (kind === 'private-use') return;
      assert.equal(plain.user, undefined);
      assert.equal(browser.username + browser.password, '');
      assert.equal(plain.host, browser.hostname);
      const port = plain.port ?? '';
      const implied = kind === 'https' ? 443 : 80;
      assert.equal(Number(port || implied), Number(browser.port || implied));
      if (kind === 'loopback') assert.ok(['localhost', '127.0.0.1', '[::1]'].includes(plain.host));
    }),
    { numRuns: 5_000 },
  );
});

/** The rule once more, from the parsed parts: equal, or loopback with another port. */
const admits = (registered: string, presented: string): boolean => {
  if (registered === presented) return true;
  const [left, right] = [byRfc3986(registered), byRfc3986(presented)];
  const [known, wanted] = [URL.parse(registered), URL.parse(presented)];
  return (
    known !== null &&
    wanted !== null &&
    left.scheme === 'http' &&
    right.scheme === 'http' &&
    ['localhost', '127.0.0.1', '[::1]'].includes(known.hostname) &&
    known.hostname === wanted.hostname &&
    left.host === right.host &&
    left.path === right.path &&
    left.query === right.query &&
    known.pathname === wanted.pathname &&
    known.search === wanted.search &&
    left.user === undefined &&
    right.user === undefined &&
    left.fragment === undefined &&
    right.fragment === undefined
  );
};

test('nothing is admitted that another reading of the rule would refuse', () => {
  const similar = fc.tuple(uri, uri, fc.nat(60), fc.nat(60)).map(([left, right, cut, join]) => ({
    registered: left,
    presented: left.slice(0, cut) + right.slice(join),
  }));
  fc.assert(
    fc.property(similar, ({ registered, presented }) => {
      if (isRegisteredRedirectUri([registered], presented)) assert.ok(admits(registered, presented));
    }),
    { numRuns: 5_000 },
  );
});

const path = fc.array(fc.stringMatching(/^[a-zA-Z0-9_~-]{1,6}$/), { maxLength: 3 }).map((parts) => parts.join('/'));
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
const local = fc
  .record({ name: fc.constantFrom('localhost', '127.0.0.1', '[::1]'), path, query: fc.constantFrom('', '?a=1') })
  .map((parts) => ({
    ...parts,
    at: (on?: number) => `http://${parts.name}${on ? `:${on}` : ''}/${parts.path}${parts.query}`,
  }));

test('a loopback redirect is admitted on every port, and on nothing but its own host, path and query', () => {
  fc.assert(
    fc.property(local, local, port, port, (one, other, left, right) => {
      assert.ok(isRegisteredRedirectUri([one.at(left)], one.at(right)));
      const same = one.at() === other.at();
      assert.equal(isRegisteredRedirectUri([one.at(left)], other.at(right)), same);
    }),
  );
});

test('one changed character makes another redirect URI', () => {
  const good = path.map((at) => `https://app.example.com/${at}`);
  fc.assert(
    fc.property(good, fc.nat(80), fc.nat(0xffff), (known, at, unit) => {
      const character = String.fromCharCode(unit);
      const position = at % known.length;
      const changed = known.slice(0, position) + character + known.slice(position + 1);
      assert.equal(isRegisteredRedirectUri([known], changed), changed === known);
      assert.equal(isRegisteredRedirectUri([known], known + character), false);
    }),
  );
});

test('the parameters of an answer are in it once, whatever query was registered', () => {
  const name = fc.constantFrom('code', 'c%6Fde', 'state', 'iss', 'error', 'a', 'b%20c', '', '+', '%');
  const query = fc.array(fc.tuple(name, fc.stringMatching(/^[a-z0-9%+=]{0,4}$/)), { maxLength: 5 });
  fc.assert(
    fc.property(query, fc.string({ unit: 'grapheme' }), (pairs, state) => {
      const base = 'https://app.example.com/cb';
      const registered = `${base}?${pairs.map(([key, value]) => `${key}=${value}`).join('&')}`;
      const answer = new URL(withResponseParams(registered, { code: 'ours', state, iss: 'https://issuer.example' }));
      assert.equal(answer.origin + answer.pathname, base);
      assert.deepEqual(answer.searchParams.getAll('code'), ['ours']);
      assert.deepEqual(answer.searchParams.getAll('state'), [state]);
      assert.deepEqual(answer.searchParams.getAll('iss'), ['https://issuer.example']);
      const kept = [...new URL(registered).searchParams].filter(([key]) => !['code', 'state', 'iss'].includes(key));
      assert.deepEqual([...answer.searchParams].slice(0, kept.length), kept);
    }),
  );
});
