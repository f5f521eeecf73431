/** Lists on the command line: every filter of the API, and pages to the end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { type CliOptions, failedWith, runCli } from '../support/command-line.ts';
import { cleanEnvironment, cliFile } from '../support/server-process.ts';
import { ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
const cli = (line: string[], options: CliOptions = {}) => runCli(['admin', ...line], { env, ...options });
const done = async (line: string[]) => {
  const result = await cli(line);
  assert.equal(result.code, 0, `${line.join(' ')}\n${result.stdout}${result.stderr}`);
  return { ...result, lines: result.stdout === '' ? [] : result.stdout.slice(0, -1).split('\n') };
};

await server.sql(`
  insert into clients (client_id, client_name, grant_types, token_endpoint_auth_method, registration_source, agent, ceiling,
      created_at)
  select 'many-' || lpad(n::text, 4, '0'), 'Many ' || n, '{authorization_code}', 'none', 'dcr', n % 100 = 0,
         array['scope-' || n % 10], now() - interval '2 days' + n * interval '1 microsecond'
    from generate_series(1, 2500) as n`);
const many = Array.from({ length: 2500 }, (_, n) => `many-${String(n + 1).padStart(4, '0')}`);

test('a page says on standard error how to go on, and --cursor does', async () => {
  const first = await done(['client', 'list', '--source', 'dcr', '--limit', '1000', '--quiet']);
  assert.deepEqual([first.lines, first.stderr], [many.slice(0, 1000), '']);
  const shown = await done(['client', 'list', '--source', 'dcr', '--limit', '1000']);
  assert.match(shown.lines[0] ?? '', /^id=many-0001 name="Many 1" status=active source=dcr$/);
  const [, cursor = ''] = /^there is more: go on with --cursor (\S+), or list --all\n$/.exec(shown.stderr) ?? [];
  const second = await done(['client', 'list', '--source', 'dcr', '--limit', '2000', '--cursor', cursor, '--quiet']);
  assert.deepEqual([second.lines, second.stderr], [many.slice(1000), '']);
  failedWith(await cli(['client', 'list', '--cursor', 'nonsense']), 1);
});

test('--all prints every row, as lines, ids or one JSON array', async () => {
  const ids = await done(['client', 'list', '--q', 'MANY', '--all', '--limit', '700', '--quiet']);
  assert.deepEqual([ids.lines, ids.stderr], [many, '']);
  const lines = await done(['client', 'list', '--q', 'many', '--all']);
  assert.deepEqual(
    lines.lines.map((line) => /^id=(\S+) /.exec(line)?.[1]),
    many,
  );
  for (const flag of ['--json', '--output=json']) {
    const json = await done(['client', 'list', '--q', 'many', '--all', '--limit', '900', flag]);
    assert.deepEqual(
      (JSON.parse(json.stdout) as { id: string }[]).map(({ id }) => id),
      many,
    );
  }
  assert.deepEqual(JSON.parse((await done(['client', 'list', '--q', 'nobody', '--all', '--json'])).stdout), []);
  assert.deepEqual((await done(['client', 'list', '--q', 'nobody', '--all'])).lines, ['no clients found']);
  const table = await done(['client', 'list', '--q', 'many-000', '--all', '-o', 'table']);
  assert.deepEqual(table.lines[0]?.split(/\s+/), ['ID', 'NAME', 'STATUS', 'SOURCE']);
  assert.equal(table.lines.length, 10);
});

test('whoever has seen enough ends a list that goes on', async () => {
  const asked = async () => {
    const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
    const counted = /^authserver_http_requests_total\{[^}]*path="\/admin\/clients"[^}]*\} (\d+)$/m.exec(text);
    return Number(counted?.[1] ?? 0);
  };
  const before = await asked();
  const child = spawn(process.execPath, [cliFile, 'admin', 'client', 'list', '--all', '--limit', '1'], {
    env: cleanEnvironment(env),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  await once(child, 'exit');
  const pages = (await asked()) - before;
  assert.ok(pages > 0 && pages < 500, `${pages} pages of 2500 were asked for`);
});

test('clients are filtered by everything the API knows', async () => {
  const quiet = async (...flags: string[]) => (await done(['client', 'list', '--all', '--quiet', ...flags])).lines;
  assert.equal((await quiet('--source', 'dcr', '--agent')).length, 25);
  assert.equal((await quiet('--source', 'dcr', '--no-agent')).length, 2475);
  assert.equal((await quiet('--scope', 'scope-3')).length, 250);
  assert.equal((await quiet('--unused-since', '1d')).length, 2500);
  assert.deepEqual(await quiet('--unused-since', '3d'), []);
  assert.deepEqual(await quiet('--grant-type', 'client_credentials'), []);
  const { client_id } = await admin.client.create({
    body: { client_name: 'Web', redirect_uris: ['https://web.example.com/cb'] },
  });
  assert.deepEqual(await quiet('--redirect-uri', 'https://web.example.com/cb'), [client_id]);
  failedWith(await cli(['client', 'list', '--unused-since', 'long']), 2);
  failedWith(await cli(['client', 'list', '--grant-type', 'password']), 1);
});

test('tokens are listed, of a user too, and revoked by what the list shows', async () => {
  const user = await server.user();
  const resource = await server.resource();
  const app = await server.client();
  const job = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const { refresh_token } = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  const machine = ok(await job.clientCredentials({ resource: resource.uri, scope: 'tools/read' })).access_token;
  const jti = String(decodeJwt(machine).jti);

  const { lines } = await done(['token', 'list']);
  assert.match(
    lines[0] ?? '',
    new RegExp(`^jti=${jti} type=client_credentials client_id=${job.clientId} scope=tools/read`),
  );
  const [family] = (await done(['user', 'tokens', '--id', user.id, '--quiet'])).lines;
  assert.match(
    lines[1] ?? '',
    new RegExp(`^jti=${family} type=authorization_code .*user_id=${user.id} .*status=active`),
  );
  assert.deepEqual((await done(['token', 'list', '--client', job.clientId, '--quiet'])).lines, [jti]);
  assert.deepEqual((await done(['token', 'list', '--user', user.id, '--all', '--quiet'])).lines, [family]);
  const json = JSON.parse((await done(['token', 'list', '--user', user.id, '--json'])).stdout);
  assert.deepEqual([json.total, json.tokens.length], [1, 1]);

  assert.deepEqual((await done(['token', 'revoke', '--jti', String(family)])).lines, [`token revoked: jti=${family}`]);
  assert.equal((await app.refresh(refresh_token)).status, 400);
  assert.deepEqual((await done(['token', 'revoke', '--jti', jti])).lines, [`token revoked: jti=${jti}`]);
  failedWith(await cli(['token', 'revoke', '--jti', crypto.randomUUID()]), 4);
  failedWith(await cli(['user', 'tokens', '--id', crypto.randomUUID()]), 4);
  failedWith(await cli(['token', 'revoke']), 2);

  const issuances = await done(['issuance', 'list', '--client', job.clientId, '--since', '1h']);
  assert.match(issuances.lines[0] ?? '', /^issuances \(1\) since=\S+:$/);
  assert.deepEqual(
    (await done(['issuance', 'list', '--resource', resource.slug, '--all', '--limit', '1', '--quiet'])).lines.length,
    2,
  );
  failedWith(await cli(['issuance', 'list', '--client', 'x', '--offset', '1']), 2);
});

test('a list that is empty because of a name nobody has says so, on standard error', async () => {
  const unknown = await done(['issuance', 'list', '--client', 'nobody', '--resource', 'nowhere']);
  assert.match(unknown.lines.join('\n'), /^issuances \(0\) since=\S+:$/);
  assert.equal(unknown.stderr, 'there is no client nobody; there is no resource nowhere\n');
  const tokens = await done(['token', 'list', '--user', 'nobody']);
  assert.deepEqual([tokens.lines, tokens.stderr], [['no tokens found'], 'there is no user nobody\n']);
  const known = await done(['token', 'list', '--client', 'many-0001']);
  assert.deepEqual([known.lines, known.stderr], [['no tokens found'], '']);
});

test('users are found by part of an address, by name, status and role', async () => {
  const [one, two] = [await server.user({ email: 'one@cli.example' }), await server.user({ email: 'two@cli.example' })];
  await admin.user.disable({ id: two.id });
  const quiet = async (...flags: string[]) => (await done(['user', 'list', '--quiet', ...flags])).lines;
  assert.deepEqual(await quiet('--q', 'CLI.example'), [one.id, two.id]);
  assert.deepEqual(await quiet('--q', 'cli.example', '--status', 'disabled'), [two.id]);
  assert.deepEqual(await quiet('--q', 'cli.example', '--role', 'admin'), []);
  assert.deepEqual(await quiet('--q', 'cli.example', '--provider', 'local', '--all', '--limit', '1'), [one.id, two.id]);
});
