import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type AdminClient, createAdminClient } from '@authserver/admin-api';
import { freePort } from '@authserver/cli/embedded-postgres';
import { TestBrowser } from '../../support/browser.ts';
import { TestApp } from '../../support/test-app.ts';
import { otherCore, type Server, serverCore, startServer } from '../machine.ts';
import {
  authorizePath,
  basic,
  behind,
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

const adminKey = 'an-admin-key-for-the-benchmark';
const password = 'a password for the benchmark';

export type Authserver = Subject & {
  /** Starts another pod of the token plane, on any core, with that many processes behind its port. */
  startPod(workers: number): Promise<{ server: Server; port: number }>;
  /** Starts both planes in one process, as `npm start` does, on any core. */
  startBoth(): Promise<{ server: Server; port: number }>;
};

type Start = {
  name: string;
  args: readonly string[];
  port?: number;
  adminPort?: number;
  internalPort?: number;
  core?: number;
};

/**
 * The token plane as a pod runs it, with its log, and the admin plane beside it on the other core; only two limits are off, as all
 * load has one address and exchanges a few tokens again and again.
 */
export const startAuthserver = async (
  { dsn, directory, people }: SubjectOptions,
  more: Record<string, string> = {},
): Promise<Authserver> => {
  const [port, internalPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const adminUrl = `http://localhost:${adminPort}`;
  const start = async ({ name, args, core, ...ports }: Start): Promise<{ server: Server; port: number }> => {
    const own = { port: await freePort(), adminPort: await freePort(), internalPort: await freePort(), ...ports };
    const server = await startServer({
      // As `npm start` does: a small young generation is half the memory under load.
      args: ['--max-semi-space-size=8', 'cli/bin/authserver.js', 'serve', ...args],
      env: {
        AUTHPLANE_SERVER_ISSUER: `http://localhost:${port}`,
        AUTHPLANE_SERVER_ADDRESS: `:${own.port}`,
        AUTHPLANE_SERVER_INTERNAL_ADDRESS: `:${own.internalPort}`,
        AUTHPLANE_SERVER_DATA_DIR: join(directory, 'data'),
        AUTHPLANE_ADMIN_ADDRESS: `:${own.adminPort}`,
        AUTHPLANE_ADMIN_API_KEY: adminKey,
        AUTHPLANE_SIGNING_KEY_PATH: join(directory, 'keys'),
        AUTHPLANE_STORAGE_DRIVER: 'postgres',
        AUTHPLANE_STORAGE_POSTGRES_DSN: dsn,
        AUTHPLANE_RATE_LIMIT_ENABLED: 'false',
        AUTHPLANE_TOKEN_EXCHANGE_MAX_CHILDREN: '0',
        AUTHPLANE_XAA_ALLOW_PRIVATE_ADDRESSES: 'true',
        ...more,
      },
      core,
      readyUrl: `http://localhost:${args.includes('admin') ? own.adminPort : own.port}/ready`,
    });
    return { server, port: own.port };
  };

  const token: Start = { name: 'authserver', args: ['--role', 'token'], port, internalPort, core: serverCore };
  const { server } = await start(token);
  const beside = await start({ name: 'admin', args: ['--role', 'admin'], adminPort, core: otherCore });
  const admin = adminClient(adminUrl);
  const client = await createClient(admin);
  const authorization = basic(client);
  const app = new TestApp([`http://localhost:${port}`], {
    clientId: client.id,
    clientSecret: client.secret,
    authMethod: 'client_secret_basic',
    redirectUris: [redirectUri],
  });
  const held = {
    cookies: [] as string[],
    refreshTokens: [] as string[],
    accessTokens: [] as string[],
    exchangeable: [] as string[],
  };
  for (let index = 0; index < people; index += 1) {
    const user = { id: '', email: `person${index}@example.com`, password };
    await admin.user.create({ body: { email: user.email, name: `Person ${index}`, password } });
    const browser = new TestBrowser();
    const callback = await app.throughPages(browser, await browser.get(app.url(authorizePath(client.id))), { user });
    const own = await redeem(port, authorization, callback);
    held.refreshTokens.push(own.refresh_token);
    held.exchangeable.push(own.access_token);
    held.cookies.push(cookieHeader(browser.cookies));
    const token = await tokenFrom(port, authorization, { grant_type: 'client_credentials', scope, resource });
    held.accessTokens.push(token.access_token);
  }
  const vouching = await trustIdentityProvider(admin, `http://localhost:${port}`, client.id);
  let pods = 0;
  return {
    name: 'authserver',
    server: { ...server, stop: async () => void (await Promise.all([server.stop(), beside.server.stop()])) },
    port,
    plans: plansFor({ clientId: client.id, authorization, vouching, ...held }),
    statements: () => statements(internalPort),
    startPod(workers) {
      pods += 1;
      return start({ name: `pod-${pods}`, args: ['--role', 'token', '--workers', `${workers}`] });
    },
    startBoth: () => start({ name: 'both', args: [] }),
  };
};

const adminClient = (url: string): AdminClient =>
  createAdminClient({
    transport: async ({ method, path, body }) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: await response.json() };
    },
  });

const createClient = async (admin: AdminClient): Promise<{ id: string; secret: string }> => {
  await admin.resource.create({
    body: { slug: 'bench', uri: resource, backend_kind: 'mint', scopes: [{ name: scope }] },
  });
  const client = await admin.client.create({
    body: {
      client_name: 'bench',
      grant_types: [
        'client_credentials',
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:token-exchange',
        'urn:ietf:params:oauth:grant-type:jwt-bearer',
      ],
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'client_secret_basic',
      scope,
    },
  });
  await admin.resource.create({
    body: { slug: 'behind', uri: behind, backend_kind: 'mint', scopes: [{ name: scope }] },
  });
  await admin.fronting.create({ body: { source: 'bench', target: 'behind', scope_map: { [scope]: [scope] } } });
  await admin.policy.addRuntimeClient({ slug: 'bench', body: { client_id: client.client_id } });
  return { id: client.client_id, secret: client.client_secret ?? '' };
};

/** An identity provider with one key on this machine, and what it signs about people for a client. */
const trustIdentityProvider = async (admin: AdminClient, audience: string, clientId: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = 'bench';
  const keySet = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' }] });
  const host = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(keySet);
  });
  await new Promise<void>((resolve) => host.listen(0, 'localhost', resolve));
  host.unref();
  const iss = `http://localhost:${(host.address() as AddressInfo).port}`;
  const { id } = await admin.idp.create({ body: { issuer: iss, jwks_uri: `${iss}/keys`, name: 'bench' } });
  await admin.xaaPolicy.create({ body: { idp_id: id } });
  return {
    key: { ...privateKey.export({ format: 'jwk' }), kid },
    claims: { iss, aud: audience, client_id: clientId, resource, scope },
  };
};

/** From the server's own metrics: every statement is timed there, those inside a transaction too. */
const statements = async (internalPort: number): Promise<number> => {
  const text = await (await fetch(`http://localhost:${internalPort}/metrics`)).text();
  const counts = text.matchAll(/^authserver_db_operation_duration_seconds_count\{.*store="postgres".*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
};
