import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');

test('the load rig measures every operation of every server without an error', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['test/bench/run.ts'], {
    cwd: root,
    env: { ...process.env, ROUNDS: '1', SECONDS: '0.3', WARM_UP: '0.3', CONNECTIONS: '3', PODS: '2', WORKERS: '2' },
  });
  const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const measured = (name: string) => rows.filter(([, operation]) => operation === name);
  const all = ['authserver', 'ceiling', 'oidc-provider'];
  for (const [operation, servers] of Object.entries({
    client_credentials: all,
    refresh_token: all,
    authorization_code: all,
    token_exchange: ['authserver'],
    jwt_bearer: ['authserver'],
    introspection: all,
    metadata: all,
    jwks: all,
  })) {
    assert.deepEqual(
      measured(operation).map(([, , server]) => server),
      servers,
    );
    // A rate with refusals in it has their number beside it.
    for (const [, , server, rate] of measured(operation))
      assert.match(rate ?? '', /^[1-9]\d*$/, `${operation} ${server}`);
  }
  for (const [what, row] of Object.entries({ 'two pods': measured('2')[0], 'two workers': measured('1')[0] })) {
    assert.match(row?.[3] ?? '', /^[1-9]\d*$/, what);
    assert.equal(row?.[6], '0', `errors of ${what}`);
  }
});
