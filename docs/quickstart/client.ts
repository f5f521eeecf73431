/**
 * A command-line MCP client: it connects, has you log in through the browser when the server asks for a token, and
 * calls two tools. Run it with `npm run sample:client`; the first argument is the server's URL, `--open` opens the
 * browser, `--port` moves the redirect URI, `--client-id` uses a client registered beforehand.
 */
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { type LoopbackOptions, loopbackProvider } from './loopback-provider.ts';

export { loopbackProvider };

/** Connects to `serverUrl`, logging in if it must, and calls the sample's tools. */
export async function runSampleClient({ serverUrl, ...options }: LoopbackOptions & { serverUrl: string }) {
  const loopback = await loopbackProvider(options);
  const client = new Client({ name: 'quickstart-client', version: '0.1.0' });
  // A transport starts once, so the login and the connection after it each have their own.
  const newTransport = () => new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: loopback.provider });
  try {
    const first = newTransport();
    try {
      await client.connect(first as Transport); // the cast: the SDK is not typed for exactOptionalPropertyTypes
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      await first.finishAuth(await loopback.code());
      await client.connect(newTransport() as Transport);
    }
    const { tools } = await client.listTools();
    const call = async (name: string, args: Record<string, unknown>) => {
      const { content } = await client.callTool({ name, arguments: args });
      return (content as { text: string }[])[0]?.text ?? '';
    };
    return {
      tools: tools.map((tool) => tool.name),
      whoami: await call('whoami', {}),
      sum: await call('add', { a: 2, b: 3 }),
    };
  } finally {
    await client.close();
    loopback.close();
  }
}

/** Opens the default browser. The address was named by a server, so nothing but a web address is handed over. */
function openBrowser(url: URL) {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return;
  const command = process.platform === 'darwin' ? 'open' : 'xdg-open';
  spawn(command, [url.href], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      open: { type: 'boolean' },
      port: { type: 'string', default: '3334' },
      'client-id': { type: 'string' },
    },
  });
  const serverUrl = positionals[0] ?? 'http://localhost:3000/mcp';
  const onAuthorizationUrl = (url: URL) => {
    console.log(`Open this page and log in:\n\n  ${url.href}\n`);
    if (values.open) openBrowser(url);
  };
  const options = { onAuthorizationUrl, port: Number(values.port), clientId: values['client-id'] };
  try {
    const { tools, whoami, sum } = await runSampleClient({ serverUrl, ...options });
    console.log(`tools    ${tools.join(', ')}\nwhoami   ${whoami}\nadd 2 3  ${sum}`);
  } catch (error) {
    const { name, message, cause } = error as Error;
    const reason = cause instanceof AggregateError ? cause.errors[0] : cause; // fetch says here whom it could not reach
    console.error(
      `Could not call ${serverUrl}: ${message || name}${reason instanceof Error ? `, ${reason.message}` : ''}`,
    );
    process.exitCode = 1;
  }
}
