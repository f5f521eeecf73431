import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAnswer } from './answer.ts';
import { VaultError, type VaultFailure } from './errors.ts';

const data = { ciphertext: 'vault:v1:x' };
const good: [what: string, status: number, text: string, data: unknown, auth?: unknown][] = [
  ['data', 200, JSON.stringify({ request_id: 'x', data, auth: null }), data],
  ['a login', 200, JSON.stringify({ data: null, auth: { client_token: 't' } }), undefined, { client_token: 't' }],
  ['nothing at all', 204, '', undefined],
  ['a key that does not exist', 404, '{"errors":[]}', undefined],
];
for (const [what, status, text, expected, auth] of good)
  test(`${what} is read`, () => assert.deepEqual(readAnswer('x', status, text), { data: expected, auth }));

const said = (...errors: string[]) => JSON.stringify({ errors });
const bad: [status: number, text: string, failure: VaultFailure, message: RegExp][] = [
  [403, said('permission denied'), 'denied', /^x: 403 permission denied$/],
  [403, said('1 error occurred:\n\t* permission denied\n\n'), 'denied', /403 1 error occurred: \* permission denied$/],
  [503, said('Vault is sealed'), 'unavailable', /sealed/],
  [500, said('local node not active but active cluster node not found'), 'unavailable', /active/],
  [500, said('cipher: message authentication failed'), 'refused', /authentication failed/],
  [502, '<html>Bad gateway</html>', 'unavailable', /^x: 502$/],
  [429, said('request path "x": rate limit quota exceeded'), 'unavailable', /quota/],
  [473, '{}', 'unavailable', /473/],
  [412, said('required index state not present'), 'unavailable', /412/],
  [307, '', 'unavailable', /307/],
  [400, said('encryption key not found', 'and more'), 'refused', /^x: 400 encryption key not found; and more$/],
  [404, said('no handler for route "transit/keys/x". route entry not found.'), 'refused', /no handler for route/],
  [404, '<html>', 'refused', /^x: 404$/],
  [405, said('unsupported operation'), 'refused', /unsupported/],
  [200, '<html>a portal</html>', 'unavailable', /the answer is not Vault's/],
  [200, '[]', 'unavailable', /the answer is not Vault's/],
];
for (const [status, text, failure, message] of bad)
  test(`${status} ${text.slice(0, 40)} is ${failure}`, () => {
    assert.throws(
      () => readAnswer('x', status, text),
      (error: unknown) => {
        assert.ok(error instanceof VaultError);
        assert.equal(error.failure, failure);
        assert.match(error.message, message);
        return true;
      },
    );
  });

test('what Vault says is cut off somewhere', () => {
  assert.throws(() => readAnswer('x', 400, said('a'.repeat(10_000))), /^VaultError: x: 400 a{300}$/);
});
