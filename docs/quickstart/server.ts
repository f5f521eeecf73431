/**
 * A small MCP server that asks for an access token, to start your own from.
 *
 * It does the four things the MCP authorization text asks of a server: it says which authorization server it trusts
 * (RFC 9728), it verifies every token itself, it answers 401 or 403 in a way clients understand, and only then does it
 * speak MCP. Run it with `npm run sample:server`; PORT, ISSUER and RESOURCE change the defaults.
 */
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';
import { findKeys, IssuerUnavailable, tokenVerifier } from './verify-token.ts';

const REQUIRED_SCOPE = 'tools/read';

/** The tools. `authInfo` is what was read from the access token of this very request. */
function mcpServer(): McpServer {
  const server = new McpServer({ name: 'quickstart', version: '0.1.0' });
  server.registerTool('whoami', { description: 'Says who is calling.' }, ({ authInfo }) =>
    text(JSON.stringify({ sub: authInfo?.extra?.sub, client_id: authInfo?.clientId, scopes: authInfo?.scopes })),
  );
  const numbers = { a: z.number(), b: z.number() };
  server.registerTool('add', { description: 'Adds two numbers.', inputSchema: numbers }, ({ a, b }) =>
    text(`${a + b}`),
  );
  return server;
}

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

export interface SampleServerOptions {
  /** Port on localhost; 0 takes a free one. */
  port: number;
  /** The authorization server whose tokens are accepted, spelled as in their `iss`. */
  issuer: string;
  /** The URI tokens must name as their audience; by default the URL the server is reached at. */
  resource?: string | undefined;
}

/** Starts the sample server. `url` is its MCP endpoint. */
export async function startSampleServer(
  options: SampleServerOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const http = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error(error);
      if (!response.headersSent) reply(response, 500, { error: 'server_error' });
    });
  });
  http.listen(options.port, 'localhost');
  await once(http, 'listening');

  const { port } = http.address() as AddressInfo;
  const resource = options.resource ?? `http://localhost:${port}/mcp`;
  const { origin, pathname } = new URL(resource);
  const metadataPath = `/.well-known/oauth-protected-resource${pathname.replace(/\/$/, '')}`; // RFC 9728 §3.1
  const challenge = `Bearer resource_metadata="${origin}${metadataPath}", scope="${REQUIRED_SCOPE}"`;
  const verify = tokenVerifier(options.issuer, resource);

  async function handle(request: IncomingMessage & { auth?: AuthInfo }, response: ServerResponse) {
    const path = request.url?.split('?')[0];
    if (path === metadataPath) {
      const metadata = { resource, authorization_servers: [options.issuer], scopes_supported: [REQUIRED_SCOPE] };
      return reply(response, 200, { ...metadata, bearer_methods_supported: ['header'] });
    }
    if (path !== pathname) return reply(response, 404, { error: 'not_found' });
    // A web page that points its own host name at this server (DNS rebinding) still sends its own origin.
    if (request.headers.origin && request.headers.origin !== origin) return reply(response, 403, { error: 'origin' });

    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (!token) return reply(response, 401, { error: 'unauthorized' }, { 'www-authenticate': challenge });
    try {
      request.auth = await verify(token);
    } catch (error) {
      const error_description = (error as Error).message;
      if (error instanceof IssuerUnavailable) {
        console.error(error_description);
        return reply(response, 503, { error: 'temporarily_unavailable', error_description }, { 'retry-after': '5' });
      }
      const headers = { 'www-authenticate': `${challenge}, error="invalid_token"` };
      return reply(response, 401, { error: 'invalid_token', error_description }, headers);
    }
    if (!request.auth.scopes.includes(REQUIRED_SCOPE)) {
      const headers = { 'www-authenticate': `${challenge}, error="insufficient_scope"` };
      return reply(response, 403, { error: 'insufficient_scope' }, headers);
    }

    // No sessions: a fresh MCP server answers each POST, so there is no event stream to GET and nothing to DELETE.
    if (request.method !== 'POST') return reply(response, 405, { error: 'method_not_allowed' }, { allow: 'POST' });
    const transport = new StreamableHTTPServerTransport({});
    const server = mcpServer();
    response.on('close', () => void server.close());
    await server.connect(transport as Transport); // the cast: the SDK is not typed for exactOptionalPropertyTypes
    await transport.handleRequest(request, response);
  }

  const close = async () => {
    const closed = once(http, 'close');
    http.close().closeAllConnections();
    await closed;
  };
  return { url: `http://localhost:${port}${pathname}`, close };
}

function reply(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { PORT = '3000', ISSUER: issuer = 'http://localhost:9000', RESOURCE: resource } = process.env;
  const { url } = await startSampleServer({ port: Number(PORT), issuer, resource }).catch((error) => {
    console.error(`The MCP server could not start: ${error.message}`);
    process.exit(1);
  });
  console.log(`MCP server listening on ${url}; it accepts access tokens issued by ${issuer}.`);
  await findKeys(issuer).then(
    () => console.log(`Next, in another terminal: npm run sample:client -- ${url}`),
    (error) => console.error(`${error.message}.\nStart it (npm start); until then no token can be verified.`),
  );
}
