/**
 * MCP servers of the official SDK at https names of their own, and networks from which they can be reached. They listen on
 * sockets in the file system, so that a server which is hidden is nowhere but in the network it was put into.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after } from 'node:test';
import { tokenVerifier } from '@authserver/quickstart/verify-token';
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { decodeJwt } from 'jose';

/** What a tool does with the access token it was called with; its answer is JSON. */
type Tool = (token: string) => unknown;
export type Claims = Record<string, unknown>;

/** Names and where they lead. Addresses of this machine lead there; nothing else is reached. */
export class Network {
  readonly #sockets = new Map<string, string>();

  add(url: string, socketPath: string): void {
    this.#sockets.set(url, socketPath);
  }

  readonly fetch = async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input);
    if (url.hostname === 'localhost') return fetch(url, init);
    const socketPath = this.#sockets.get(url.origin);
    if (!socketPath) throw new Error(`${url.origin} cannot be reached from here`);
    const headers = { ...Object.fromEntries(new Headers(init.headers)), host: url.host };
    const sent = request({ socketPath, path: url.pathname, method: init.method ?? 'GET', headers });
    sent.end(init.body ?? undefined);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const body = await buffer(response);
    const answered = { status: response.statusCode ?? 0, headers: response.headers as Record<string, string> };
    return new Response(body.length > 0 ? new Uint8Array(body) : null, answered);
  };

  /** Calls a tool with an access token, or with what the SDK gets one by. */
  async call(uri: string, by: string | OAuthClientProvider, tool = 'whoami'): Promise<Claims> {
    const client = new Client({ name: 'topologies', version: '1.0.0' });
    const means =
      typeof by === 'string' ? { requestInit: { headers: { authorization: `Bearer ${by}` } } } : { authProvider: by };
    await client.connect(new StreamableHTTPClientTransport(new URL(uri), { fetch: this.fetch, ...means }));
    const { content } = await client.callTool({ name: tool, arguments: {} });
    await client.close();
    return JSON.parse((content as { text: string }[])[0]?.text ?? '');
  }

  /** The status an access token is answered with, and the challenge that came along. */
  async knock(uri: string, token?: string): Promise<[status: number, challenge: string]> {
    const headers = {
      ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const response = await this.fetch(uri, { method: 'POST', headers, body });
    return [response.status, response.headers.get('www-authenticate') ?? ''];
  }
}

type Served = {
  /** What tokens must be for. */
  resource: string;
  /** What tokens must carry. */
  scope: string;
  /** The name it is reached by; the resource itself unless said. */
  at?: string;
  /** Reads a token or throws; by the keys of the issuer unless said. */
  verify?: (token: string) => Promise<AuthInfo>;
  /** Tools besides `whoami`, which tells the claims of the token it is called with. */
  tools?: Record<string, Tool>;
};

/** Starts an MCP server that is reached from `network` alone. */
export const startMcpServer = async (network: Network, issuer: string, served: Served): Promise<void> => {
  const { resource, scope, at = resource, verify = tokenVerifier(issuer, resource), tools = {} } = served;
  const { origin, pathname } = new URL(at);
  const metadataPath = `/.well-known/oauth-protected-resource${pathname}`; // RFC 9728 §3.1
  const challenge = `Bearer resource_metadata="${origin}${metadataPath}", scope="${scope}"`;

  const handle = async (incoming: IncomingMessage & { auth?: AuthInfo }, response: ServerResponse) => {
    const refuse = (status: number, error: string) =>
      response.writeHead(status, { 'www-authenticate': `${challenge}, error="${error}"` }).end();
    if (incoming.url === metadataPath) {
      const metadata = { resource, authorization_servers: [issuer], scopes_supported: [scope] };
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata));
    }
    const token = /^Bearer (\S+)$/.exec(incoming.headers.authorization ?? '')?.[1] ?? '';
    const auth = await verify(token).catch(() => undefined);
    if (!auth) return refuse(401, 'invalid_token');
    if (!auth.scopes.includes(scope)) return refuse(403, 'insufficient_scope');
    if (incoming.method !== 'POST') return response.writeHead(405).end();
    incoming.auth = auth;
    const server = new McpServer({ name: at, version: '1.0.0' });
    for (const [name, tool] of Object.entries({ whoami: decodeJwt, ...tools } as Record<string, Tool>))
      server.registerTool(name, {}, async () => ({
        content: [{ type: 'text' as const, text: JSON.stringify(await tool(token)) }],
      }));
    response.on('close', () => void server.close());
    const transport = new StreamableHTTPServerTransport({});
    await server.connect(transport as Transport); // the SDK is not typed for exactOptionalPropertyTypes
    return transport.handleRequest(incoming, response);
  };

  const directory = await mkdtemp(join(tmpdir(), 'mcp-'));
  const socketPath = join(directory, 'socket');
  const http = createServer((incoming, response) => {
    handle(incoming, response).catch((error: unknown) => response.destroy(error as Error));
  });
  http.listen(socketPath);
  await once(http, 'listening');
  network.add(origin, socketPath);
  after(async () => {
    http.close().closeAllConnections();
    await rm(directory, { recursive: true, force: true });
  });
};
