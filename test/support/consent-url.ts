/** A gateway that exchanges the tokens of an assistant for a library, where its users have not allowed that yet. */
import assert from 'node:assert/strict';
import type { GrantType } from '@authserver/oauth';
import { startAuthServer, type TestUser } from './auth-server.ts';
import { type Page, TestBrowser } from './browser.ts';
import { type Answer, denied, type Form, signIn } from './test-app.ts';

export const exchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const confidential = { authMethod: 'client_secret_basic' } as const;

type Refusal = { error: string; cause?: string; consent_url?: string };
export const bodyOf = (answer: Answer<unknown>): Refusal => answer.body as Refusal;

/** Opens it in a browser in which this user, or nobody, is signed in, and signs in if that is asked for. */
export const openSignedIn = async (url: string, user: TestUser, browser = new TestBrowser()): Promise<Page> => {
  const page = await browser.follow(await browser.get(url));
  return new URL(page.url).pathname.endsWith('/login') ? browser.follow(await signIn(browser, page, user)) : page;
};

export const startLibrary = async () => {
  const server = await startAuthServer({ pods: 2 });
  const assistant = await server.client({
    ...confidential,
    name: 'Assistant',
    grantTypes: ['authorization_code', 'refresh_token', exchange],
    redirectUris: ['https://app.example.com/cb', 'http://127.0.0.1/cb?from=app'],
  });
  const gateway = await server.client({
    ...confidential,
    name: 'Gateway',
    grantTypes: ['client_credentials', exchange],
    redirectUris: ['https://gateway.example.com/done'],
  });
  const front = await server.resource({ runtimeClients: [gateway.clientId] });
  const library = await server.resource({
    slug: 'library',
    exchangeClients: [gateway.clientId],
    scopes: [
      { name: 'tools/read', description: 'Read <your> books' },
      { name: 'tools/write', description: 'Write your books' },
      'tools/lend',
    ],
  });

  const grant = async (user: TestUser, scope = 'tools/read tools/write', resource = front.uri) =>
    (await assistant.authorize({ user, resource, scope })).access_token;

  /** A user whose token the gateway could not exchange, and where they are asked. */
  const asked = async (form: Form = {}, held?: string) => {
    const user = await server.user();
    const subject = await grant(user);
    if (held !== undefined) await grant(user, held, library.uri);
    const again = (pod = 0) => gateway.exchange(subject, { resource: library.uri, ...form }, pod);
    const refused = await again();
    denied(refused, 'consent_required');
    const url = bodyOf(refused).consent_url ?? '';
    assert.ok(url.startsWith(`${server.issuer}/consent/exchange?ticket=`), url);
    return { user, subject, again, url, cause: bodyOf(refused).cause };
  };
  /** The same page at one of the pods. */
  const at = (url: string, pod: number, more: Record<string, string> = {}): string => {
    const page = new URL(`${server.pods[pod]?.url}${new URL(url).pathname}${new URL(url).search}`);
    for (const [name, value] of Object.entries(more)) page.searchParams.append(name, value);
    return page.href;
  };
  const consentsOf = async ({ id }: TestUser) =>
    (await server.store.consentGrants.listOfUser(id)).filter(({ resourceId }) => resourceId === library.id);
  const eventsOf = ({ id }: TestUser) =>
    server.sql<{ action: string; client_id: string; details: Record<string, unknown>; request_id: string }>(
      `select action, client_id, details, request_id from audit_events
      where actor_id = $1 and action like 'consent.%' and details ? 'acting_client'`,
      [id],
    );
  return { server, assistant, gateway, front, library, grant, asked, at, consentsOf, eventsOf };
};
