import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import Provider, { type ClientMetadata } from 'oidc-provider';
import type { Page, TestBrowser } from './browser.ts';

type Person = { sub: string; email: string; name: string };

/**
 * `oidc-provider` as the OpenID provider of an organisation, with a page that asks who signs in. It has a session of its own,
 * so that whoever comes a second time is not asked again.
 */
export const startSignInProvider = async (client: { id: string; secret: string }, people: readonly Person[]) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.startsWith('/interaction/')) return provider.callback()(request, response);
    interact(request, response).catch((error: Error) => response.writeHead(500).end(error.message));
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  after(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;

  /** One provider; its client is known once the redirect URI is. */
  const make = (redirectUris: string[]) => {
    const registered: ClientMetadata = {
      client_id: client.id,
      client_secret: client.secret,
      redirect_uris: redirectUris,
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
    };
    return new Provider(issuer, {
      clients: redirectUris.length > 0 ? [registered] : [],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'one' }] },
      cookies: { keys: [randomBytes(32).toString('base64url')] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      findAccount: (_ctx, accountId) => {
        const person = people.find(({ sub }) => sub === accountId);
        return person && { accountId, claims: () => ({ ...person, email_verified: true }) };
      },
      ttl: { AccessToken: 300, IdToken: 300, Interaction: 300, Session: 3600, Grant: 3600 },
    });
  };
  let provider = make([]);

  /** The page with a button for each person; what they allow us is taken for granted. */
  const interact = async (request: IncomingMessage, response: ServerResponse) => {
    const { prompt, session, params, grantId } = await provider.interactionDetails(request, response);
    if (prompt.name === 'consent') {
      const grant =
        (grantId === undefined ? undefined : await provider.Grant.find(grantId)) ??
        new provider.Grant({ accountId: session?.accountId ?? '', clientId: String(params.client_id) });
      grant.addOIDCScope(String(params.scope));
      return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
    }
    const who = new URL(request.url ?? '', issuer).searchParams.get('as');
    if (who !== null) return provider.interactionFinished(request, response, { login: { accountId: who } });
    const buttons = people.map(({ sub, name }) => `<p><a href="?as=${sub}">${name}</a></p>`);
    response
      .writeHead(200, { 'content-type': 'text/html' })
      .end(`<link rel="icon" href="data:,"><h1>Who are you?</h1>${buttons.join('')}`);
  };

  return {
    issuer,
    /** Lets a server send people here. */
    admit(redirectUri: string) {
      provider = make([redirectUri]);
    },
  };
};

/** A browser that goes on from page to page on any host, as a person's would, until one wants an answer or `until` comes. */
export const travel = async (browser: TestBrowser, from: Page | string, until?: string): Promise<Page> => {
  let page = typeof from === 'string' ? await browser.get(from) : from;
  for (let hops = 0; page.location && !(until && page.location.href.startsWith(until)); hops += 1) {
    if (hops > 20) throw new Error('too many redirects');
    page = await browser.get(page.location.href);
  }
  return page;
};

/** Follows the link with this text, or the beginning of it. */
export const follow = async (browser: TestBrowser, page: Page, text: string, until?: string): Promise<Page> => {
  const link = new RegExp(`<a[^>]*href="([^"]*)"[^>]*>${text}`).exec(page.html)?.[1]?.replaceAll('&#38;', '&');
  if (link === undefined) throw new Error(`no link "${text}" at ${page.url}:\n${page.html}`);
  return travel(browser, new URL(link, page.url).href, until);
};
