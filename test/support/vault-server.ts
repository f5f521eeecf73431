/**
 * A local server of the parts of Vault's HTTP API that this product uses: paths, statuses, bodies and formats are those of
 * its documentation, keys are real. Everything is set up through the API, so that with `TEST_VAULT_URL` and
 * `TEST_VAULT_TOKEN` (of root) the same tests run against a real Vault or OpenBao; what only our own server can do, its
 * faults, is then absent.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAppRole } from './vault/approle.ts';
import { type Capability, createPolicies } from './vault/policies.ts';
import { type Body, empty, errors, type Reply } from './vault/reply.ts';
import { createTokens, type Token } from './vault/tokens.ts';
import { createTransit } from './vault/transit.ts';

export type VaultFaults = {
  /** What was asked, in order: `POST transit/sign/x`. */
  requests: string[];
  /** 503 to everything, as after a restart; what it handed out stays good. */
  seal(): void;
  unseal(): void;
  /** Every answer comes so much later; 0 is at once. */
  delay(ms: number): void;
  /** So many requests are answered with this status and message instead. */
  failNext(count: number, status: number, message: string): void;
  /** Every connection is closed without an answer, until told otherwise. */
  hangUp(really: boolean): void;
  /** Revokes what was handed out; the root token stays. */
  revokeTokens(): void;
  /** The address is as before after `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
};

export type TestVault = {
  address: string;
  rootToken: string;
  /** Absent when this is a real Vault. */
  faults?: VaultFaults;
  /** Asks as root. @throws {Error} unless Vault agrees */
  root(method: string, path: string, body?: Body): Promise<Body>;
  /** A token with a policy of its own, given as HCL. */
  newToken(policy: string, options?: Body): Promise<string>;
  /** A role and a secret id of it. */
  newAppRole(policy: string, options?: Body): Promise<{ roleId: string; secretId: string }>;
  /** A key of a name that nobody else has. */
  newKey(type?: string, options?: Body): Promise<string>;
};

/** The real Vault that the environment names, or a server of our own for this test file. */
export const openVault = async (): Promise<TestVault> => {
  const { TEST_VAULT_URL, TEST_VAULT_TOKEN } = process.env;
  if (!TEST_VAULT_URL || !TEST_VAULT_TOKEN) return openFaultyVault();
  const vault = through(TEST_VAULT_URL, TEST_VAULT_TOKEN);
  await mountEngines(vault);
  return vault;
};

/** A server of our own in any case, for tests of what happens when Vault is not well. */
export const openFaultyVault = async (): Promise<TestVault & { faults: VaultFaults }> => {
  const { address, rootToken, faults } = await startVaultServer();
  const vault = { ...through(address, rootToken), faults };
  await mountEngines(vault);
  return vault;
};

const mountEngines = async (vault: TestVault): Promise<void> => {
  // Somebody may have done so before.
  await vault.root('POST', 'sys/mounts/transit', { type: 'transit' }).catch(() => {});
  await vault.root('POST', 'sys/auth/approle', { type: 'approle' }).catch(() => {});
};

const through = (address: string, rootToken: string): TestVault => {
  const root = async (method: string, path: string, body?: Body): Promise<Body> => {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': rootToken, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Body);
  };
  const newPolicy = async (policy: string): Promise<string> => {
    const name = newName();
    await root('PUT', `sys/policies/acl/${name}`, { policy });
    return name;
  };
  return {
    address,
    rootToken,
    root,
    async newToken(policy, options = {}) {
      const made = await root('POST', 'auth/token/create', { policies: [await newPolicy(policy)], ...options });
      return (made.auth as Body).client_token as string;
    },
    async newAppRole(policy, options = {}) {
      const name = newName();
      await root('POST', `auth/approle/role/${name}`, { token_policies: [await newPolicy(policy)], ...options });
      const { role_id: roleId } = (await root('GET', `auth/approle/role/${name}/role-id`)).data as Body;
      const { secret_id: secretId } = (await root('POST', `auth/approle/role/${name}/secret-id`, {})).data as Body;
      return { roleId: roleId as string, secretId: secretId as string };
    },
    async newKey(type = 'aes256-gcm96', options = {}) {
      const name = newName();
      await root('POST', `transit/keys/${name}`, { type, ...options });
      return name;
    },
  };
};

const newName = (): string => `test-${randomBytes(6).toString('hex')}`;

const startVaultServer = async (): Promise<{ address: string; rootToken: string; faults: VaultFaults }> => {
  const rootToken = `hvs.${randomBytes(24).toString('base64url')}`;
  const tokens = createTokens(rootToken);
  const policies = createPolicies();
  const appRole = createAppRole(tokens);
  const mounts = new Map<string, ReturnType<typeof createTransit>>();
  const authMounts = new Set<string>();
  let sealed = false;
  let delayMs = 0;
  let hangsUp = false;
  let planned: Reply[] = [];
  let server: Server;
  let port = 0;

  const system = (method: string, path: string, body: Body): Reply => {
    const [area = '', ...rest] = path.split('/');
    const name = rest.join('/');
    if (area === 'mounts' && method === 'POST') {
      if (mounts.has(name)) return errors(400, `path is already in use at ${name}/`);
      mounts.set(name, createTransit());
      return empty;
    }
    if (area === 'auth' && method === 'POST') {
      if (authMounts.has(name)) return errors(400, `path is already in use at ${name}/`);
      authMounts.add(name);
      return empty;
    }
    if (area === 'policies' && rest[0] === 'acl' && method === 'PUT') {
      policies.put(rest.slice(1).join('/'), String(body.policy ?? ''));
      return empty;
    }
    return errors(404, `no handler for route "sys/${path}". route entry not found.`);
  };

  const tokenPath = (method: string, path: string, token: Token, body: Body): Reply => {
    if (path === 'lookup-self' && method === 'GET') return tokens.lookupSelf(token);
    if (path === 'renew-self' && method === 'POST') return tokens.renewSelf(token);
    if (path === 'revoke-self' && method === 'POST') return tokens.revokeSelf(token);
    if (path === 'create' && method === 'POST') return tokens.create(body);
    return errors(404, `no handler for route "auth/token/${path}". route entry not found.`);
  };

  const answer = (method: string, path: string, tokenId: string | undefined, body: Body): Reply => {
    const fault = planned.shift();
    if (fault) return fault;
    if (path === 'sys/health') {
      const health = { initialized: true, sealed, standby: false, version: '1.20.0', cluster_name: 'test' };
      return { status: sealed ? 503 : 200, body: health };
    }
    if (sealed) return errors(503, 'Vault is sealed');
    const login = /^auth\/(.+)\/login$/.exec(path)?.[1];
    if (login !== undefined && authMounts.has(login) && method === 'POST') return appRole.logIn(body);

    const token = tokens.find(tokenId);
    if (token === undefined) return errors(403, 'permission denied');
    const mount = [...mounts.keys()].find((name) => path.startsWith(`${name}/`));
    const below = mount === undefined ? '' : path.slice(mount.length + 1);
    const transit = mount === undefined ? undefined : mounts.get(mount);
    const capability = capabilityOf(method, transit?.wouldCreate(below) === true);
    if (!policies.allows(token.policies, path, capability))
      return errors(403, '1 error occurred:\n\t* permission denied\n\n');

    if (transit) return transit.handle(method, below, body);
    if (path.startsWith('sys/')) return system(method, path.slice('sys/'.length), body);
    if (path.startsWith('auth/token/')) return tokenPath(method, path.slice('auth/token/'.length), token, body);
    const role = [...authMounts].find((name) => path.startsWith(`auth/${name}/`));
    if (role !== undefined) return appRole.handle(method, path.slice(`auth/${role}/`.length), body);
    return errors(404, `no handler for route "${path}". route entry not found.`);
  };

  const faults: VaultFaults = {
    requests: [],
    seal() {
      sealed = true;
    },
    unseal() {
      sealed = false;
    },
    delay(ms) {
      delayMs = ms;
    },
    failNext(count, status, message) {
      planned = Array.from({ length: count }, () => errors(status, message));
    },
    hangUp(really) {
      hangsUp = really;
    },
    revokeTokens: () => tokens.revokeAll(),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    async start() {
      server = createServer((request, response) => void serve(request, response));
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      port = (server.address() as AddressInfo).port;
    },
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await readText(request);
    const path = decodeURIComponent((request.url ?? '').replace(/^\/v1\//, '').replace(/\?.*$/, ''));
    const method = request.method === 'PUT' && !path.startsWith('sys/policies/') ? 'POST' : (request.method ?? 'GET');
    faults.requests.push(`${method} ${path}`);
    if (hangsUp) return void request.socket.destroy();
    if (delayMs > 0) await sleep(delayMs);
    const tokenId = request.headers['x-vault-token'];
    let reply: Reply;
    try {
      reply = answer(method, path, typeof tokenId === 'string' ? tokenId : undefined, JSON.parse(text || '{}') as Body);
    } catch (error) {
      reply = error instanceof SyntaxError ? errors(400, 'failed to parse JSON input') : errors(500, String(error));
    }
    response.writeHead(reply.status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body));
  };

  await faults.start();
  after(async () => {
    if (server.listening) await faults.stop();
  });
  return { address: `http://127.0.0.1:${port}`, rootToken, faults };
};

const capabilityOf = (method: string, creates: boolean): Capability => {
  if (method === 'GET') return 'read';
  if (method === 'DELETE') return 'delete';
  return creates ? 'create' : 'update';
};

const readText = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};
