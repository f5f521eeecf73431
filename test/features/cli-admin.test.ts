import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { type CliOptions, failedWith, runCli } from '../support/command-line.ts';
import { denied, ok, TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const password = 'correct horse battery staple';
const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
const cli = (line: string[], options: CliOptions = {}) => runCli(['admin', ...line], { env, ...options });
/** The lines of a command that succeeds; nothing else may be on standard output. */
const lines = async (line: string[], options: CliOptions = {}): Promise<string[]> => {
  const { code, stdout, stderr } = await cli(line, options);
  assert.equal(code, 0, `${line.join(' ')}\n${stdout}${stderr}`);
  assert.ok(stdout.endsWith('\n') && !stdout.includes(server.adminKey));
  return stdout.slice(0, -1).split('\n');
};
const json = async (line: string[]) => JSON.parse((await lines([...line, '--json'])).join('\n'));

test('admin client create: a line for the client, a line for its secret, and it works (seed, spec §2.3)', async () => {
  await server.resource({ slug: 'mcp', uri: 'https://mcp.example.com/' });
  const args = ['--name', 'My Job', '--grant-types', 'client_credentials', '--auth-method', 'client_secret_post'];
  const scopes = ['--scopes', 'tools/read||Read tools', '--scopes', 'tools/write||Write tools'];
  const { code, stdout, stderr } = await cli(['client', 'create', ...args, ...scopes]);
  assert.equal(code, 0, stderr);
  const [, id, secret] = /^client created: id=(\S+) name="My Job"\nclient_secret=(\S+)\n$/.exec(stdout) ?? [];
  assert.ok(id && secret, stdout);
  assert.match(stderr, /^[^\n]*once[^\n]*\n$/, 'a remark is not output');
  assert.ok(!stderr.includes(secret));
  assert.equal((await admin.client.get({ id })).scope, 'tools/read tools/write');
  const job = new TestApp([server.issuer], {
    clientId: id,
    clientSecret: secret,
    authMethod: 'client_secret_post',
    redirectUris: [],
  });
  ok(await job.clientCredentials({ resource: 'https://mcp.example.com/' }));

  const rotated = await lines(['client', 'rotate-secret', '--id', id]);
  assert.equal(rotated[0], `secret rotated: client_id=${id}`);
  assert.match(rotated[1] ?? '', /^client_secret=\S{43,}$/);
  assert.ok(!rotated[1]?.includes(secret));
});

test('admin client: the life of one, command by command', async () => {
  const [created = ''] = await lines([
    ...['client', 'create', '--name', 'App', '--grant-types', 'authorization_code,refresh_token'],
    ...['--redirect-uris', 'https://app.example.com/cb,https://app.example.com/other'],
  ]);
  const id = /id=(\S+)/.exec(created)?.[1] ?? '';
  assert.deepEqual((await admin.client.get({ id })).redirect_uris, [
    'https://app.example.com/cb',
    'https://app.example.com/other',
  ]);
  assert.deepEqual(await lines(['client', 'update', '--id', id, '--name', 'New']), [
    `client updated: id=${id} name=New`,
  ]);
  assert.deepEqual(await lines(['client', 'suspend', '--id', id]), [`client suspended: id=${id}`]);
  assert.deepEqual(await lines(['client', 'list', '--status', 'suspended']), [
    `id=${id} name=New status=suspended source=admin`,
  ]);
  assert.deepEqual(await json(['client', 'list', '--status', 'suspended']), [
    JSON.parse(JSON.stringify(await admin.client.get({ id }))),
  ]);
  assert.deepEqual(await lines(['client', 'reactivate', '--id', id]), [`client active: id=${id}`]);
  assert.deepEqual(await lines(['client', 'list', '--status', 'suspended']), ['no clients found']);
  assert.deepEqual(await lines(['client', 'revoke', '--id', id]), [`client revoked: id=${id}`]);
  assert.match((await lines(['client', 'get', '--id', id])).join(), /status=revoked/);
  assert.deepEqual(await lines(['client', 'delete', '--id', id, '--force']), [`client deleted: id=${id}`]);
});

test('admin user: the password comes from standard input, and the user can sign in', async () => {
  const args = ['user', 'create', '--email', 'ada@example.com', '--name', 'Ada', '--role', 'admin', '--password-stdin'];
  const [created = ''] = await lines(args, { input: `${password}\n` });
  const id = /^user created: id=(\S+) email=ada@example\.com role=admin$/.exec(created)?.[1] ?? '';
  const app = await server.client();
  const user = { id, email: 'ada@example.com', password };
  await app.authorize({ user, resource: 'https://mcp.example.com/' });

  assert.deepEqual(await lines(['user', 'list', '--email', 'ADA@example.com']), [
    `id=${id} email=ada@example.com role=admin status=active`,
  ]);
  assert.match((await lines(['user', 'get', '--email', 'ada@example.com'])).join(), new RegExp(`^id=${id} `));
  assert.deepEqual(await lines(['user', 'force-logout', '--id', id]), [
    `user logged out: user_id=${id} tokens_revoked=1`,
  ]);
  assert.deepEqual(
    await lines(['user', 'set-password', '--id', id, '--password-stdin'], { input: 'another one, as good' }),
    [`password set: id=${id}`],
  );
  await app.authorize({ user: { ...user, password: 'another one, as good' }, resource: 'https://mcp.example.com/' });
  assert.deepEqual(await lines(['user', 'disable', '--id', id]), [`user disabled: id=${id}`]);
  assert.deepEqual(await lines(['user', 'enable', '--id', id]), [`user enabled: id=${id}`]);
  assert.deepEqual(await lines(['user', 'update', '--id', id, '--email', 'new@example.com']), [
    `user updated: id=${id} email=new@example.com name=Ada`,
  ]);
  assert.deepEqual(await lines(['user', 'delete', '--id', id, '--force']), [`user deleted: id=${id}`]);
  assert.deepEqual(await lines(['user', 'list', '--email', 'new@example.com']), ['no users found']);
});

test('a password without any way to give one is asked for, not invented', async () => {
  const line = ['user', 'create', '--email', 'x@example.com'];
  assert.match(failedWith(await cli(line), 2), /--password-stdin/);
  assert.match(failedWith(await cli([...line, '--password-stdin'], { input: '\n' }), 2), /empty/);
  const told = failedWith(await cli([...line, '--password-stdin'], { input: 'seven77\n' }), 1);
  assert.match(told, /password/);
  assert.ok(!told.includes('seven77'));
});

test('admin key, dcr, stats, system and audit have a verb each', async () => {
  const keys = await lines(['key', 'list']);
  assert.match(keys[0] ?? '', /^kid=\S+ alg=ES256 use=sig status=current( |$)/);
  assert.match(keys[1] ?? '', /^kid=\S+ alg=ES256 use=sig status=next( |$)/);
  assert.match(failedWith(await cli(['key', 'rotate']), 5), /Rotate again in \d+ s/);
  const next = /kid=(\S+)/.exec(keys[1] ?? '')?.[1];
  assert.deepEqual(await lines(['key', 'rotate', '--force']), [`key rotated: kid=${next} alg=ES256`]);

  assert.deepEqual(await lines(['dcr', 'set', '--mode', 'admin_only']), ['DCR mode set to: admin_only']);
  assert.deepEqual(await lines(['dcr', 'get']), ['DCR mode: admin_only']);
  assert.match((await lines(['stats'])).join(), /^clients=\d+ users=\d+ active_tokens_24h=\d+/);
  const status = await lines(['system', 'status']);
  assert.match(status[0] ?? '', /^version=\S+ uptime=.+ uptime_secs=\d+$/);
  assert.equal(status[1], 'subsystem=storage status=healthy driver=postgres');
  assert.ok((await lines(['system', 'config'])).some((line) => line.startsWith('dcr: mode=admin_only')));
  const [event = ''] = await lines(['audit', 'list', '--action', 'dcr.mode_updated', '--since', '1h']);
  assert.match(event, /^at=\S+ action=dcr\.mode_updated actor=admin/);
  assert.deepEqual(await lines(['audit', 'list', '--action', 'user.updated', '--client', 'x']), [
    'no audit events found',
  ]);
});

test('admin issuance and grant: found, shown and revoked', async () => {
  const user = await server.user();
  const app = await server.client();
  const resource = await server.resource();
  const tokens = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  const [head = '', line = '', ...others] = await lines(['issuance', 'list', '--user', user.id, '--since', '7d']);
  assert.match(head, /^issuances \(1\) since=\S+:$/);
  assert.deepEqual(others, []);
  const id =
    /^id=(\S+) jti=\1 subject_user_id=\S+ client_id=\S+ resource_id=\S+ backend_kind=mint /.exec(line)?.[1] ?? '';
  assert.match((await lines(['issuance', 'get', '--id', id])).join(), /scopes=\[tools\/read\]$/);
  for (const filter of [
    ['--client', app.clientId],
    ['--resource', resource.slug],
    ['--jti', id],
  ])
    assert.equal((await json(['issuance', 'list', ...filter])).count, 1, filter.join(' '));
  assert.deepEqual(await lines(['issuance', 'revoke', '--id', id]), [`issuance revoked: id=${id}`]);
  assert.match((await lines(['issuance', 'get', '--id', id])).join(), / revoked_at=\S+/);

  const grants = await lines(['grant', 'list-user-grants', '--user', user.id]);
  assert.deepEqual([grants[0], grants[2], grants.length], ['consent_grants (1):', 'broker_grants (0):', 3]);
  const grant = /^ {2}id=(\S+) user_id=\S+ client_id=\S+ resource_id=\S+ scopes=\[tools\/read\]$/.exec(
    grants[1] ?? '',
  )?.[1];
  assert.deepEqual(await lines(['grant', 'revoke-consent', '--id', String(grant)]), [
    `revoked consent grant: id=${grant}`,
  ]);
  denied(await app.refresh(tokens.refresh_token), 'invalid_grant');
});
