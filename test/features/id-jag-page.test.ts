/** The commands of docs/enterprise-identity.md, as they stand there, from nothing to a token. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { newClientKey } from '../support/client-assertion.ts';
import { runCli } from '../support/command-line.ts';
import { jwtBearerType, signIdJag } from '../support/id-jag.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';
import { root } from '../support/source-files.ts';
import { ok, postForm } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const key = await newClientKey();
const idp = (await startIdentityProviders()).newIdp({ keys: { keys: [key.jwk] } });
const page = readFileSync(join(root, 'docs/enterprise-identity.md'), 'utf8');
const [block = ''] = /(?<=## From nothing to a token\n\n```sh\n)[^`]+/.exec(page) ?? [];

/** The words of a command, as a shell would part them. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );

test('the page leads from nothing to a token', async () => {
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const known = new Map([['https://idp.example.com', idp.issuer]]);
  const commands = block.replaceAll('\\\n', ' ').trim().split('\n');
  assert.equal(commands.length, 4);
  for (const command of commands) {
    const [program, ...words] = wordsOf(command).map((word) => known.get(word) ?? word);
    assert.equal(program, 'authserver');
    const { code, stdout, stderr } = await runCli([...words, '--json'], { env });
    assert.equal(code, 0, `${command}\n${stderr}`);
    const made = JSON.parse(stdout) as Record<string, string>;
    if (words[1] === 'idp') known.set('<idp_id>', made.id ?? '');
    if (made.client_id) known.set('<client_id>', made.client_id).set('secret', made.client_secret ?? '');
  }
  const clientId = known.get('<client_id>') ?? '';
  const assertion = await signIdJag(server, idp.issuer, key, clientId, {
    claims: { resource: 'https://mcp.example.com/mcp' },
  });
  const basic = { authorization: `Basic ${btoa(`${clientId}:${known.get('secret')}`)}` };
  const form = { grant_type: jwtBearerType, assertion };
  const { access_token, scope } = ok(await postForm(`${server.issuer}/oauth/token`, form, basic));
  assert.deepEqual([decodeJwt(String(access_token)).aud, scope], [['https://mcp.example.com/mcp'], 'chat/read']);
});
