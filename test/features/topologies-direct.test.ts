/** The topologies of docs/topologies.md in which a client calls an MCP server itself, set up by the commands of that page. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  auth,
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthTokens,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { newClientKey } from '../support/client-assertion.ts';
import { signIdJag, trade } from '../support/id-jag.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';
import { Network, startMcpServer } from '../support/mcp-servers.ts';
import { followPage, settingsOf } from '../support/page-commands.ts';
import { follow, startSignInProvider, travel } from '../support/sign-in-provider.ts';
import { root } from '../support/source-files.ts';
import { answerConsent, denied, ok, type TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const { issuer } = server;
const user = await server.user({ email: 'you@example.com' });
const internet = new Network();
const serve = (resource: string, scope: string, at = resource) =>
  startMcpServer(internet, issuer, { resource, scope, at });
const setUp = async <Name extends string>(heading: string, known?: Map<string, string>, at = server) =>
  (await followPage(at, 'docs/topologies.md', heading, known)) as Record<Name, TestApp>;

test('what the page tells to type is run by one of its two tests', () => {
  const text = (file: string) => readFileSync(join(root, file), 'utf8');
  const tests = ['direct', 'gateway'].map((name) => text(`test/features/topologies-${name}.test.ts`)).join('');
  const sections = text('docs/topologies.md').split(/^#+ /m);
  const headings = sections.filter((section) => section.includes('```sh')).map((section) => section.split('\n')[0]);
  assert.deepEqual(
    headings.filter((heading) => !tests.includes(`('${heading}'`)),
    [],
  );
});

test('one client, one MCP server', async () => {
  const notes = 'https://notes.example.com/mcp';
  await serve(notes, 'notes/read');
  const { 'Notes app': app } = await setUp<'Notes app'>('One client, one MCP server');
  const [status, challenge] = await internet.knock(notes);
  assert.equal(status, 401);
  assert.match(
    challenge,
    /resource_metadata="https:\/\/notes\.example\.com\/\.well-known\/oauth-protected-resource\/mcp"/,
  );
  const { access_token } = await app.authorize({ user, resource: notes, scope: 'notes/read' });
  const { sub, aud, client_id, scope } = await internet.call(notes, access_token);
  assert.deepEqual([sub, aud, client_id, scope], [user.id, [notes], app.clientId, 'notes/read']);
  const written = await app.authorize({ user, resource: notes, scope: 'notes/write' });
  assert.deepEqual((await internet.knock(notes, written.access_token))[0], 403, 'it needs notes/read');
});

test('one client, several MCP servers: neither takes the token of the other', async () => {
  const [mail, calendar] = ['https://mail.example.com/mcp', 'https://calendar.example.com/mcp'];
  await serve(mail, 'mail/read');
  await serve(calendar, 'calendar/read');
  const { Office: office } = await setUp<'Office'>('One client, several MCP servers');
  const forMail = await office.authorize({ user, resource: mail, scope: 'mail/read' });
  const forCalendar = await office.authorize({ user, resource: calendar, scope: 'calendar/read' });
  assert.deepEqual((await internet.call(mail, forMail.access_token)).aud, [mail]);
  assert.deepEqual((await internet.call(calendar, forCalendar.access_token)).aud, [calendar]);
  assert.equal((await internet.knock(mail, forCalendar.access_token))[0], 401);
  assert.equal((await internet.knock(calendar, forMail.access_token))[0], 401);
});

test('several services behind one resource: one token, and a scope for each', async () => {
  const suite = 'https://suite.example.com/mcp';
  const [files, people] = ['https://files.example.com/mcp', 'https://people.example.com/mcp'];
  await serve(suite, 'files/read', files);
  await serve(suite, 'people/read', people);
  const { Suite: app } = await setUp<'Suite'>('Several services behind one resource');
  const both = await app.authorize({ user, resource: suite, scope: 'files/read people/read' });
  assert.equal((await internet.call(files, both.access_token)).sub, user.id);
  assert.equal((await internet.call(people, both.access_token)).sub, user.id);
  const one = await app.authorize({ user, resource: suite, scope: 'files/read', tick: ['files/read'] });
  assert.equal((await internet.knock(files, one.access_token))[0], 200);
  assert.equal((await internet.knock(people, one.access_token))[0], 403);
});

test('a backend as itself, with the client credentials of the SDK', async () => {
  const metrics = 'https://metrics.example.com/mcp';
  await serve(metrics, 'metrics/read');
  const { 'Nightly report': backend } = await setUp<'Nightly report'>('A backend as itself');
  const { clientId, clientSecret = '' } = backend;
  const provider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer: issuer });
  const { sub, aud, scope } = await internet.call(metrics, provider);
  assert.deepEqual([sub, aud, scope], [clientId, [metrics], 'metrics/read']);
  denied(await backend.clientCredentials({ resource: metrics, scope: 'metrics/write' }), 'invalid_scope');
});

test('people sign in at an OpenID provider, and the SDK gets from its first request to the tool', async () => {
  const maps = 'https://maps.example.com/mcp';
  const secret = 'the secret of this server at the provider';
  const ann = { sub: 'employee-7', email: 'ann@acme.example', name: 'Ann' };
  const idp = await startSignInProvider({ id: 'authserver', secret }, [ann]);
  const known = new Map([['https://sso.example.com', idp.issuer]]);
  const settings = settingsOf('docs/topologies.md', 'People sign in at an OpenID provider', known);
  const own = await startAuthServer({ admin: true, settings, secrets: { CONNECTOR_ACME_SECRET: secret } });
  idp.admit(`${own.issuer}/oidc/callback`);
  await startMcpServer(internet, own.issuer, { resource: maps, scope: 'maps/read' });
  const { Atlas: atlas } = await setUp<'Atlas'>('People sign in at an OpenID provider', known, own);

  const kept: { at?: URL; verifier?: string; tokens?: StoredOAuthTokens; discovery?: OAuthDiscoveryState } = {};
  const redirectUrl = 'https://app.example.com/cb';
  const provider: OAuthClientProvider = {
    redirectUrl,
    clientMetadata: { redirect_uris: [redirectUrl], client_name: 'Atlas' },
    clientInformation: () => ({ client_id: atlas.clientId, issuer: own.issuer }),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void Object.assign(kept, { tokens }),
    codeVerifier: () => kept.verifier ?? '',
    saveCodeVerifier: (verifier) => void Object.assign(kept, { verifier }),
    redirectToAuthorization: (at) => void Object.assign(kept, { at }),
    discoveryState: () => kept.discovery,
    saveDiscoveryState: (discovery) => void Object.assign(kept, { discovery }),
  };
  await assert.rejects(internet.call(maps, provider), UnauthorizedError);
  const browser = new TestBrowser();
  const login = await travel(browser, String(kept.at));
  assert.doesNotMatch(login.html, /name="password"/);
  const asked = await follow(browser, login, 'Continue with Acme');
  const consent = await follow(browser, asked, 'Ann');
  assert.match(consent.html, /ann@acme\.example[\s\S]*Look at maps/);
  const { location } = await answerConsent(browser, consent, 'allow');
  const answer = Object.fromEntries(location?.searchParams ?? []);
  const { code: authorizationCode = '', iss = '' } = answer;
  const fetchFn = internet.fetch as typeof fetch;
  assert.equal(await auth(provider, { serverUrl: maps, authorizationCode, iss, fetchFn }), 'AUTHORIZED');
  const { sub, aud, scope } = await internet.call(maps, provider);
  const [user] = await own.sql('select id, email, provider_sub from users');
  assert.deepEqual([sub, aud, scope], [user?.id, [maps], 'maps/read']);
  assert.deepEqual([user?.email, user?.provider_sub], [ann.email, ann.sub]);
});

test('an identity provider vouches, and the SDK gets from its assertion to the tool', async () => {
  const wiki = 'https://wiki.example.com/mcp';
  await serve(wiki, 'wiki/read');
  const key = await newClientKey();
  const idp = (await startIdentityProviders()).newIdp({ keys: { keys: [key.jwk] } });
  const known = new Map([['https://idp.example.com', idp.issuer]]);
  const { Desk: desk } = await setUp<'Desk'>('An identity provider vouches', known);
  const { clientId, clientSecret = '' } = desk;
  const assertion = () =>
    signIdJag(server, idp.issuer, key, clientId, { claims: { resource: wiki, scope: 'wiki/read wiki/write' } });
  const provider = new CrossAppAccessProvider({ clientId, clientSecret, expectedIssuer: issuer, assertion });
  const { sub, act, scope } = await internet.call(wiki, provider);
  assert.deepEqual([sub, act, scope], [user.id, { sub: idp.issuer }, 'wiki/read']);
  assert.equal(ok(await trade(desk, await assertion())).scope, 'wiki/read', 'no more than the policy allows');
});
