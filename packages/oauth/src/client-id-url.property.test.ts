import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clientIdUrlProblem, isClientIdUrl } from './client-id-url.ts';

const piece = fc.constantFrom(
  ...'https http HTTPS : :// / // \\ ? # @ user . .. %2e %2E%2e %2f %41 %c3 . app.example App.example 127.1 [::1]'.split(
    ' ',
  ),
  ...[':443', ':8443', ':', 'client.json', 'a', '~', ' ', '\t', '\n', '\0', 'ß', '。', '\u00ad', 'xn--a', '1.2.3.4'],
);
const odd = fc.array(fc.oneof({ weight: 5, arbitrary: piece }, fc.string({ maxLength: 2 })), { maxLength: 9 });
const uri = fc
  .tuple(fc.constantFrom('https://app.example/', 'https://', 'https://app.example', ''), odd)
  .map(([start, rest]) => start + rest.join(''));

/** RFC 3986 appendix B. */
const split = (text: string) =>
  /^([^:/?#]+):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text)?.slice(1) ?? assert.fail(text);

test('an accepted id reads the same to everybody who takes it apart [CIMD-01]', () => {
  let accepted = 0;
  fc.assert(
    fc.property(uri, (clientId) => {
      if (clientIdUrlProblem(clientId, { allowHttp: false }) !== undefined) return;
      accepted += 1;
      assert.ok(isClientIdUrl(clientId));
      const [scheme, authority = '', path = '', query, fragment] = split(clientId);
      const url = new URL(clientId);
      assert.equal(url.href, clientId, 'what is fetched is what is stored and compared');
      assert.equal(scheme, 'https');
      assert.equal(authority, url.host);
      assert.equal(path, url.pathname);
      assert.equal(query ?? '', url.search.slice(1));
      assert.equal(fragment, undefined);
      assert.ok(!authority.includes('@'));
      assert.ok(/[^/]/.test(path), 'a path that names something');
      const segments = path.split('/').map((segment) => segment.replace(/%2e/gi, '.'));
      assert.ok(!segments.includes('.') && !segments.includes('..'));
      assert.match(clientId, /^[\x21-\x7e]+$/);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(accepted > 100, `${accepted} were accepted`);
});

test('http is for those who allowed it', () => {
  fc.assert(
    fc.property(uri, (clientId) => {
      const strict = clientIdUrlProblem(clientId, { allowHttp: false });
      const relaxed = clientIdUrlProblem(clientId, { allowHttp: true });
      if (strict === undefined) assert.equal(relaxed, undefined);
      else if (relaxed === undefined) assert.match(clientId, /^http:\/\//);
    }),
  );
});
