/**
 * The command-line page operators know, line by line: every command and every request as it is printed there, with ids in
 * place of its placeholders, against a server that was started as it says. Once over HTTP with the admin API key in the
 * environment, once with `--config` and nothing else.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { github } from '../support/brokering.ts';
import { newPlace, type Way } from '../support/seed-page.ts';
import { startServer } from '../support/started-server.ts';
import { denied, ok } from '../support/test-app.ts';

const idIn = (line: string): string => /\bid=(\S+)/.exec(line)?.[1] ?? assert.fail(`no id in ${line}`);

const page = async (t: TestContext, way: Way) => {
  const place = await newPlace(way);
  const { admins, types, json, curl } = place;
  const issuer = `http://localhost:${place.ports.token}`;

  await t.test('migrate, and the first user, before anything serves', async () => {
    assert.match(await types(`authserver migrate --config ${place.config}`), /database is up to date/);
    assert.match(
      await types(`authserver migrate --config ${place.config}`),
      /^database is up to date: migrations=\d+\n$/,
    );
    const created = await types(`authserver admin user create \\
    --config ${place.config} \\
    --email admin@example.com \\
    --password changeme \\
    --name Admin \\
    --role admin`);
    assert.match(created, /^user created: id=\S+ email=admin@example\.com role=admin\n$/);
  });

  const server = await startServer({
    directory: place.directory,
    ports: place.ports,
    flags: ['--config', place.config],
  });
  place.serves(await server.adminKey());

  await t.test('version', async () => {
    assert.match(await types('authserver version'), /^authserver v\d+\.\d+\.\d+ commit=\S+ built=\S+\n$/);
  });

  await t.test('admin client', async () => {
    assert.equal(await admins('authserver admin client list'), 'no clients found\n');
    const created = await admins(`authserver admin client create --grant-types authorization_code,refresh_token \\
                                --redirect-uris https://app.example.com/cb \\
                                --scopes 'tools/read||Read tools' \\
                                --scopes 'tools/write||Write tools' \\
                                --auth-method client_secret_post \\
                                --name "My App"`);
    assert.match(created, /^client created: id=\S+ name="My App"\nclient_secret=\S+\n$/);
    const id = idIn(created);
    assert.equal(await admins('authserver admin client list'), `id=${id} name="My App" status=active source=admin\n`);

    const shown = (await curl(`curl -s http://localhost:9001/admin/clients/${id} \\
    -H "Authorization: Bearer $AUTHPLANE_ADMIN_API_KEY"`)) as Record<string, unknown>;
    assert.deepEqual([shown.id, shown.scope, shown.status], [id, 'tools/read tools/write', 'active']);
    assert.deepEqual(
      await curl(`curl -s -X PATCH http://localhost:9001/admin/clients/${id}/suspend \\
    -H "Authorization: Bearer $AUTHPLANE_ADMIN_API_KEY"`),
      { status: 'suspended' },
    );
    assert.deepEqual(
      await curl(`curl -s -X PATCH http://localhost:9001/admin/clients/${id}/reactivate \\
    -H "Authorization: Bearer $AUTHPLANE_ADMIN_API_KEY"`),
      { status: 'active' },
    );
    assert.equal((await json('authserver admin client list'))[0].id, id);
    assert.match(
      await admins(`authserver admin client update --id ${id} --name Other`),
      /^client updated: id=\S+ name=Other\n$/,
    );
    assert.match(
      await admins(`authserver admin client rotate-secret --id ${id}`),
      /^secret rotated: .*\nclient_secret=\S+\n$/,
    );
    assert.equal(await admins(`authserver admin client delete --id ${id}`), `client deleted: id=${id}\n`);
  });

  await t.test('admin user', async () => {
    const id = idIn(await admins('authserver admin user list'));
    const created = await admins(
      'authserver admin user create --email bob@example.com --password changeme --role admin',
    );
    const bob = idIn(created);
    assert.equal((await admins('authserver admin user list')).split('\n').length, 3);
    assert.match(
      await admins(`authserver admin user update --id ${bob} --email new@example.com`),
      /^user updated: id=\S+ email=new@example\.com/,
    );
    const found = await curl(`curl -s "http://localhost:9001/admin/users?email=new@example.com" \\
    -H "Authorization: Bearer $AUTHPLANE_ADMIN_API_KEY"`);
    assert.deepEqual(
      (found as { id: string }[]).map((user) => user.id),
      [bob],
    );
    assert.deepEqual(
      await curl(`curl -s -X PATCH http://localhost:9001/admin/users/${bob}/disable \\
    -H "Authorization: Bearer $AUTHPLANE_ADMIN_API_KEY"`),
      { status: 'disabled' },
    );
    assert.deepEqual(
      await curl(`curl -s -X PATCH http://localhost:9001/admin/users/${bob}/enable \\
    -H "Authorization: Bearer $AUTHPLANE_ADMIN_API_KEY"`),
      { status: 'active' },
    );
    const changed = await curl(`curl -s -X PATCH http://localhost:9001/admin/users/${bob} \\
    -H "Authorization: Bearer $AUTHPLANE_ADMIN_API_KEY" \\
    -H "Content-Type: application/json" \\
    -d '{"password":"another good one"}'`);
    assert.equal((changed as { id: string }).id, bob);
    const app = await server.client({ redirectUris: ['http://localhost/cb'], authMethod: 'none' });
    const user = { id: bob, email: 'new@example.com', password: 'another good one' };
    await server.resource({ slug: 'anything', uri: 'https://anything.example.com/' });
    await app.authorize({ user, resource: 'https://anything.example.com/' }); // so the password is the new one
    assert.match(
      await admins(`authserver admin user force-logout --id ${bob}`),
      /^user logged out: user_id=\S+ tokens_revoked=1\n$/,
    );
    assert.equal(await admins(`authserver admin user delete --id ${bob}`), `user deleted: id=${bob}\n`);
    assert.equal(idIn(await admins('authserver admin user list')), id);
  });

  await t.test('admin resource', async () => {
    const created = await admins(`authserver admin resource create --slug my-mcp \\
                                  --uri http://localhost:3000/mcp \\
                                  --backend-kind mint \\
                                  --scope-map "tools/read:tools/read,tools/write:tools/write"`);
    assert.match(created, /^resource created: id=\S+ slug=my-mcp\n$/);
    const line = await admins('authserver admin resource get --slug my-mcp');
    assert.match(
      line,
      /^id=\S+ slug=my-mcp backend_kind=mint broker_provider_id= uri=http:\/\/localhost:3000\/mcp scopes=\[tools\/read,tools\/write\] /,
    );
    assert.match(await admins('authserver admin resource list'), / slug=my-mcp /);
    assert.equal(
      await admins(
        "authserver admin resource update --slug my-mcp --scopes 'tools/read||Read tools' --scopes 'tools/write||Write tools' --scopes 'tools/delete||Delete tools'",
      ),
      created.replace('created', 'updated'),
    );
    const { scopes } = await json('authserver admin resource get --slug my-mcp');
    assert.deepEqual(
      scopes.map((scope: Record<string, unknown>) => [scope.name, scope.description]),
      [
        ['tools/read', 'Read tools'],
        ['tools/write', 'Write tools'],
        ['tools/delete', 'Delete tools'],
      ],
    );
    assert.equal(await admins('authserver admin resource delete --slug my-mcp'), 'resource deleted: slug=my-mcp\n');
  });

  await t.test('admin provider', async () => {
    await writeFile(join(place.directory, 'github-provider.json'), JSON.stringify(github));
    assert.equal(await admins('authserver admin provider list'), 'no providers found\n');
    const created = await admins(`authserver admin provider create --slug github --protocol oauth \\
                                  --display-name "GitHub" \\
                                  --config-data ./github-provider.json`);
    assert.match(created, /^provider created: id=\S+ slug=github\n$/);
    const id = idIn(created);
    const line = new RegExp(`^id=${id} slug=github display_name="?GitHub"? protocol=oauth`);
    assert.match(await admins('authserver admin provider list'), line);
    assert.match(await admins(`authserver admin provider get --id ${id}`), line);
    const updated = await admins(`authserver admin provider update --id ${id} --config-data ./github-provider.json`);
    assert.match(updated, /^provider updated: id=\S+ slug=github\n$/);
    const broker = 'authserver admin resource create --slug brokered --backend-kind broker';
    assert.match(await admins(`${broker} --broker-provider ${id}`), /^resource created: /);
    await admins('authserver admin resource delete --slug brokered');
    assert.equal(await admins(`authserver admin provider delete --id ${id}`), `provider deleted: id=${id}\n`);
  });

  await t.test('admin resource policy', async () => {
    await server.resource({ slug: 'ruled', uri: 'https://ruled.example.com/' });
    const { clientId } = await server.client({ redirectUris: ['http://localhost/cb'], authMethod: 'none' });
    const policy = 'authserver admin resource policy';
    for (const list of ['exchange', 'runtime']) {
      const added = await admins(`${policy} ${list} add --slug ruled --client-id ${clientId}`);
      assert.ok(added.includes(`=[${clientId}]`), added);
      assert.ok((await admins(`${policy} ${list} list --slug ruled`)).includes(clientId));
      await admins(`${policy} ${list} remove --slug ruled --client-id ${clientId}`);
    }
    await admins(
      'authserver admin provider create --slug ruled --protocol oauth --display-name R --config-data ./github-provider.json',
    );
    await admins('authserver admin resource create --slug connected --backend-kind broker --broker-provider ruled');
    const url = 'https://app.example.com/connected';
    assert.ok((await admins(`${policy} connect add --slug connected --url ${url}`)).includes(url));
    assert.ok((await admins(`${policy} connect remove --slug connected --url ${url}`)).includes('=[]'));
  });

  await t.test('admin issuance and admin grant', async () => {
    const user = await server.user();
    await server.resource({ slug: 'granted', uri: 'https://granted.example.com/' });
    const app = await server.client({ redirectUris: ['http://localhost/cb'], authMethod: 'none' });
    const tokens = await app.authorize({ user, resource: 'https://granted.example.com/', scope: 'tools/read' });

    const lists = [
      `authserver admin issuance list --user ${user.id}`,
      `authserver admin issuance list --client ${app.clientId} --limit 50`,
      'authserver admin issuance list --resource granted --since 7d',
    ];
    for (const line of lists) {
      const [head, row = '', ...others] = (await admins(line)).trimEnd().split('\n');
      assert.match(head ?? '', /^issuances \(1\) since=\S+:$/, line);
      assert.match(row, new RegExp(`^id=\\S+ jti=\\S+ subject_user_id=${user.id} client_id=${app.clientId} `), line);
      assert.deepEqual(others, []);
    }
    const { issuances } = await json(lists[0] ?? '');
    const shown = await admins(`authserver admin issuance get --id ${issuances[0].id}`);
    assert.match(shown, /^id=\S+ .*scopes=\[tools\/read\]/);

    const provider = await admins(
      'authserver admin provider create --slug hub --protocol oauth --display-name Hub --config-data ./github-provider.json',
    );
    const broker = '01890000-0000-7000-8000-000000000001';
    await place.sql(
      `insert into broker_grants (id, user_id, broker_provider_id, scopes_granted, enc_credential, enc_backend)
       values ($1, $2, $3, '{repo}', 'sealed', 'aes_master')`,
      [broker, user.id, idIn(provider)],
    );
    const grants = (await admins(`authserver admin grant list-user-grants --user ${user.id}`)).trimEnd().split('\n');
    assert.equal(grants[0], 'consent_grants (1):');
    assert.equal(grants[2], 'broker_grants (1):');
    assert.match(grants[3] ?? '', new RegExp(`^ {2}id=${broker} `));
    const consent = idIn(grants[1] ?? '');
    assert.equal(
      await admins(`authserver admin grant revoke-consent --id ${consent}`),
      `revoked consent grant: id=${consent}\n`,
    );
    assert.match(await admins(`authserver admin issuance get --id ${issuances[0].id}`), / status=revoked /);
    denied(await app.refresh(tokens.refresh_token), 'invalid_grant');
    assert.equal(
      await admins(`authserver admin grant revoke-broker --id ${broker}`),
      `revoked broker grant: id=${broker}\n`,
    );
  });

  await t.test('admin key', async () => {
    const kids = async () =>
      [...(await admins('authserver admin key list')).matchAll(/^kid=(\S+) alg=\S+ use=sig status=(\w+)/gm)].map(
        ([, kid, status]) => `${status} ${kid}`,
      );
    const before = await kids();
    assert.ok(before.some((line) => line.startsWith('current ')));
    const next = before.find((line) => line.startsWith('next '))?.slice('next '.length);
    // A key younger than the caches of verifiers is not signed with unless somebody insists.
    const early = await place.shell(
      way === 'over HTTP' ? 'authserver admin key rotate' : `authserver admin key rotate --config ${place.config}`,
    );
    assert.ok(early.code === 5 || early.code === 0, early.stderr);
    if (early.code === 5)
      assert.match(await admins('authserver admin key rotate --force'), /^key rotated: kid=\S+ alg=ES256/);
    assert.ok((await kids()).includes(`current ${next}`));
    const { keys } = (await (await fetch(`${issuer}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] };
    assert.ok(keys.length >= 2);
  });

  await t.test('admin dcr', async () => {
    assert.match(await admins('authserver admin dcr get'), /^DCR mode: \w+\n$/);
    assert.equal(await admins('authserver admin dcr set --mode admin_only'), 'DCR mode set to: admin_only\n');
    assert.equal(await admins('authserver admin dcr get'), 'DCR mode: admin_only\n');
    for (const mode of ['approved_redirects', 'open'])
      assert.equal(await admins(`authserver admin dcr set --mode ${mode}`), `DCR mode set to: ${mode}\n`);
  });

  await t.test('admin fronting', async () => {
    await server.resource({ slug: 'gateway', uri: 'https://gateway.example.com/', scopes: ['src/read'] });
    await server.resource({ slug: 'hidden', uri: 'https://hidden.example.com/', scopes: ['dst/read'] });
    assert.equal(await admins('authserver admin fronting list'), 'no fronting links found\n');
    assert.equal(
      await admins(`authserver admin fronting create --source gateway --target hidden \\
                                  --scope-map "src/read:dst/read"`),
      'fronting link created: source=gateway target=hidden\n',
    );
    assert.match(
      await admins('authserver admin fronting list'),
      /^source=gateway target=hidden scope_map=\{src\/read->dst\/read\} created_by=\S+\n$/,
    );
    assert.equal(
      await admins('authserver admin fronting delete --source gateway --target hidden'),
      'fronting link deleted: source=gateway target=hidden\n',
    );
  });

  await t.test('purge, beside the running server', async () => {
    await types(`authserver purge --config ${place.config}`);
    await types(`authserver purge --only=dpop-nonces,jti --timeout=5m --config ${place.config}`);
    const all = 'assertion-jti,connect-pending-states,dpop-nonces,jti,machine-tokens,refresh-tokens,sessions';
    await types(`authserver purge --only ${all} --timeout 0 --config ${place.config}`);
    const wrong = await place.shell(`authserver purge --only=everything --config ${place.config}`);
    assert.notEqual(wrong.code, 0);
  });

  await t.test('a reload of the keys drops no request, and the end is orderly', async () => {
    const app = await server.client({
      authMethod: 'client_secret_post',
      grantTypes: ['client_credentials'],
      scope: 'tools/read',
    });
    server.process.signal('SIGHUP');
    ok(await app.clientCredentials({ resource: 'https://anything.example.com/' }));
    assert.deepEqual(await server.stop('SIGTERM'), { code: 0, signal: null });
  });
};

// One way after the other: side by side, on two cores, each takes longer than a test may.
for (const way of ['over HTTP', 'with --config'] as const) test(`the command-line page, ${way}`, (t) => page(t, way));

test('every command takes --help, and every one of the administrator --config and --json', async () => {
  const { shell } = await newPlace('over HTTP');
  const groups = [
    'client',
    'user',
    'resource',
    'resource policy exchange',
    'provider',
    'grant',
    'issuance',
    'key',
    'dcr',
    'fronting',
  ];
  for (const group of groups) {
    const { code, stdout } = await shell(`authserver admin ${group} --help`);
    assert.equal(code, 0, group);
    const [, verb = ''] =
      new RegExp(`^ {2}admin ${group} ([a-z-]+) {2}`, 'm').exec(stdout.split('COMMANDS')[1] ?? '') ?? [];
    const help = await shell(`authserver admin ${group} ${verb} --help`);
    assert.equal(help.code, 0, `${group} ${verb}`);
    for (const flag of ['--config', '--json']) assert.ok(help.stdout.includes(flag), `${group} ${verb} ${flag}`);
  }
  for (const command of ['serve', 'migrate', 'purge', 'version'])
    assert.equal((await shell(`authserver ${command} --help`)).code, 0, command);
});
