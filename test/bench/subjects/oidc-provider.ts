import { randomBytes } from 'node:crypto';
import { freePort } from '@authserver/cli/embedded-postgres';
import { TestBrowser } from '../../support/browser.ts';
import { serverCore, startServer } from '../machine.ts';
import {
  authorizePath,
  basic,
  cookieHeader,
  plansFor,
  redeem,
  redirectUri,
  resource,
  type Subject,
  type SubjectOptions,
  scope,
  tokenFrom,
} from './subject.ts';

const client = { id: 'bench', secret: randomBytes(32).toString('base64url') };

/** `oidc-provider` on the same PostgreSQL: see `peer/server.ts`. Its introspection is of its opaque tokens. */
export const startOidcProvider = async ({ dsn, people }: SubjectOptions): Promise<Subject> => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const server = await startServer({
    args: ['--max-semi-space-size=8', 'test/bench/peer/server.ts'],
    env: {
      NODE_ENV: 'production',
      PORT: String(port),
      DSN: dsn,
      CLIENT_ID: client.id,
      CLIENT_SECRET: client.secret,
      REDIRECT_URI: redirectUri,
      RESOURCE: resource,
      SCOPE: scope,
    },
    core: serverCore,
    readyUrl: `${origin}/.well-known/jwks.json`,
  });
  const authorization = basic(client);
  const held = { cookies: [] as string[], refreshTokens: [] as string[], accessTokens: [] as string[] };
  for (let index = 0; index < people; index += 1) {
    const browser = new TestBrowser();
    const page = await browser.follow(await browser.get(`${origin}${authorizePath(client.id)}`));
    if (!page.location) throw new Error(`oidc-provider did not answer with a code: ${page.status} ${page.html}`);
    held.refreshTokens.push((await redeem(port, authorization, page.location)).refresh_token);
    held.cookies.push(cookieHeader(browser.cookies));
    const opaque = { grant_type: 'client_credentials', scope, resource: `${resource}/opaque` };
    held.accessTokens.push((await tokenFrom(port, authorization, opaque)).access_token);
  }
  return {
    name: 'oidc-provider',
    server,
    port,
    plans: plansFor({ clientId: client.id, authorization, ...held }),
    statements: async () => Number(await (await fetch(`${origin}/statements`)).text()),
  };
};
