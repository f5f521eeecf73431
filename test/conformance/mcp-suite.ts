/**
 * The conformance suite of the MCP project against this server, by hand, since it comes from the registry:
 * `node --test test/conformance/mcp-suite.ts`. It plays a client; the person in front of the browser is ours.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';

/** The first line of releases that has scenarios for authorization servers. */
const suite = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const callbackPort = 3777;

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const redirectUri = `http://127.0.0.1:${callbackPort}/callback`;

/** A public client: where `none` is advertised the suite sends no secret, even when it has one. */
test(`the authorization scenarios of ${suite} pass`, { timeout: 120_000 }, async (t) => {
  const app = await server.client({ redirectUris: [redirectUri] });
  const flags = [
    '--url',
    server.issuer,
    '--client-id',
    app.clientId,
    '--resource',
    resource.uri,
    '--port',
    `${callbackPort}`,
  ];
  const child = spawn('npx', ['--yes', suite, 'authorization', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (!line.startsWith(`${server.issuer}/oauth/authorize?`)) continue;
    const browser = new TestBrowser();
    const callback = await app.throughPages(browser, await browser.get(line), { user });
    assert.equal((await fetch(callback)).status, 200);
  }
  const [code] = await ended;
  const summary = lines.slice(lines.findIndex((line) => line.includes('SUMMARY'))).join('\n');
  t.diagnostic(summary);
  assert.equal(code, 0, lines.join('\n'));
  assert.match(summary, /Total: [1-9]\d* passed, 0 failed/);
});
