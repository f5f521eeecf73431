/**
 * The topologies of docs/topologies.md in which an MCP server or an agent calls another server, set up by the commands of
 * that page. What is hidden is in a network of its own, which only those in front of it are given.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { UrlElicitationRequiredError as UrlElicitation } from '@modelcontextprotocol/client';
import { UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { Network, startMcpServer } from '../support/mcp-servers.ts';
import { followPage } from '../support/page-commands.ts';
import { answerConsent, denied, ok, signIn, type TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const { issuer } = server;
const user = await server.user();
const internet = new Network();
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const setUp = async <Name extends string>(heading: string) =>
  (await followPage(server, 'docs/topologies.md', heading)) as Record<Name, TestApp>;

test('a gateway calls a hidden server as itself, and the user is not known there', async () => {
  const [shop, prices] = ['https://shop.example.com/mcp', 'https://prices.example.com/mcp'];
  const apps = await setUp<'Shop gateway' | 'Buyer'>('A gateway that calls a hidden server as itself');
  const { 'Shop gateway': gateway, Buyer: buyer } = apps;
  const inside = new Network();
  await startMcpServer(inside, issuer, { resource: prices, scope: 'prices/read' });
  const price = async () => inside.call(prices, ok(await gateway.clientCredentials({ resource: prices })).access_token);
  await startMcpServer(internet, issuer, { resource: shop, scope: 'shop/browse', tools: { price } });

  const { access_token } = await buyer.authorize({ user, resource: shop, scope: 'shop/browse' });
  const { sub, aud, act } = await internet.call(shop, access_token, 'price');
  assert.deepEqual([sub, aud, act], [gateway.clientId, [prices], undefined]);
  await assert.rejects(internet.knock(prices, access_token), /cannot be reached/);
  assert.equal((await inside.knock(prices, access_token))[0], 401, 'not even inside, with a token for the gateway');
});

test('a gateway calls a hidden server for the user through a link, and that one another', async () => {
  const [counter, stock] = ['https://counter.example.com/mcp', 'https://stock.example.com/mcp'];
  const ledger = 'https://ledger.example.com/mcp';
  const apps = await setUp<'Counter' | 'Stock' | 'Clerk'>('A gateway that calls a hidden server for the user');
  const { Counter: atCounter, Stock: inStock, Clerk: clerk } = apps;
  await setUp('And one hop further');
  const [inside, vault] = [new Network(), new Network()];
  const through = async (app: TestApp, token: string, resource: string) =>
    ok(await app.exchange(token, { resource })).access_token;
  await startMcpServer(vault, issuer, { resource: ledger, scope: 'ledger/read' });
  await startMcpServer(inside, issuer, {
    resource: stock,
    scope: 'stock/read',
    // By introspection, as only a client that acts as this resource may.
    async verify(token) {
      const { active, aud, scope = '', client_id } = ok(await inStock.introspect(token));
      assert.ok(active && aud === stock);
      return { token, clientId: String(client_id), scopes: String(scope).split(' ') };
    },
    tools: { accounts: async (token) => vault.call(ledger, await through(inStock, token, ledger)) },
  });
  let behind = '';
  await startMcpServer(internet, issuer, {
    resource: counter,
    scope: 'counter/ask',
    tools: {
      stock: async (token) => {
        behind = await through(atCounter, token, stock);
        return inside.call(stock, behind);
      },
      accounts: async (token) => inside.call(stock, await through(atCounter, token, stock), 'accounts'),
    },
  });

  const { access_token } = await clerk.authorize({ user, resource: counter, scope: 'counter/ask' });
  const acting = {
    sub: atCounter.clientId,
    actor_type: 'service',
    act: { sub: clerk.clientId, actor_type: 'service' },
  };
  const seen = await internet.call(counter, access_token, 'stock');
  assert.deepEqual([seen.sub, seen.aud, seen.scope, seen.act], [user.id, [stock], 'stock/read', acting]);
  await assert.rejects(internet.knock(stock, access_token), /cannot be reached/);
  assert.equal((await inside.knock(stock, access_token))[0], 401, 'its aud is the gateway');
  denied(await atCounter.exchange(access_token, { resource: stock, scope: 'stock/write' }), 'invalid_scope');
  denied(await clerk.exchange(access_token, { resource: stock }), 'unauthorized_client');

  const further = await internet.call(counter, access_token, 'accounts');
  assert.deepEqual([further.sub, further.aud, further.scope], [user.id, [ledger], 'ledger/read']);
  assert.deepEqual(further.act, { sub: inStock.clientId, actor_type: 'service', act: acting });
  await assert.rejects(inside.knock(ledger, behind), /cannot be reached/);
  assert.equal((await vault.knock(ledger, behind))[0], 401, 'its aud is the stock');
  denied(await atCounter.exchange(access_token, { resource: ledger }), 'access_denied', 403);

  assert.equal((await inside.knock(stock, behind))[0], 200);
  ok(await clerk.revoke(access_token));
  assert.equal((await inside.knock(stock, behind))[0], 401, 'what came of it ended with it');
});

test('a server uses the token of another client where its user allowed that one as much', async () => {
  const [search, library] = ['https://search.example.com/mcp', 'https://library.example.com/mcp'];
  const apps = await setUp<'Search' | 'Reader'>('A server that uses the token of another client');
  const { Search: searching, Reader: reader } = apps;
  await startMcpServer(internet, issuer, { resource: library, scope: 'books/read' });
  const exchange = (token: string) => searching.exchange(token, { resource: library });
  const find = async (token: string) => {
    const answer = await exchange(token);
    const { consent_url: url } = answer.body as { consent_url?: string };
    if (url === undefined) return internet.call(library, ok(answer).access_token);
    const message = 'Search wants to look into your library.';
    throw new UrlElicitationRequiredError([{ mode: 'url', url, message, elicitationId: randomUUID() }]);
  };
  await startMcpServer(internet, issuer, { resource: search, scope: 'books/read', tools: { find } });

  const { access_token } = await reader.authorize({ user, resource: search, scope: 'books/read' });
  denied(await exchange(access_token), 'consent_required');
  const refused = await internet.call(search, access_token, 'find').catch((error: unknown) => error);
  assert.ok(refused instanceof UrlElicitation, String(refused));
  const [elicitation, ...more] = refused.elicitations;
  assert.deepEqual([elicitation?.mode, more], ['url', []]);
  // The client of the user opens it in a browser, and calls again once that is done.
  const browser = new TestBrowser();
  const login = await browser.follow(await browser.get(elicitation?.url ?? ''));
  const question = await browser.follow(await signIn(browser, login, user));
  assert.equal((await answerConsent(browser, question, 'allow')).status, 200);
  const { sub, aud, client_id, act } = await internet.call(search, access_token, 'find');
  assert.deepEqual([sub, aud, client_id, act], [user.id, [library], searching.clientId, undefined]);
  const allowed = await reader.authorize({ user, resource: library, scope: 'books/read' });
  assert.equal((await internet.knock(search, allowed.access_token))[0], 401);
});

test('an agent acts for a user, who stays the subject, within what the agent may', async () => {
  const tickets = 'https://tickets.example.com/mcp';
  const { Triage: triage, Portal: portal } = await setUp<'Triage' | 'Portal'>('An agent that acts for a user');
  await startMcpServer(internet, issuer, { resource: tickets, scope: 'tickets/read' });
  const { access_token } = await portal.authorize({ user, resource: tickets, scope: 'tickets/read tickets/close' });
  const itself = ok(await triage.clientCredentials()).access_token;
  const acting = { resource: tickets, actor_token: itself, actor_token_type: accessToken };
  const agents = ok(await triage.exchange(access_token, acting)).access_token;
  const seen = await internet.call(tickets, agents);
  assert.deepEqual([seen.sub, seen.client_id, seen.scope], [user.id, triage.clientId, 'tickets/read']);
  assert.deepEqual(seen.act, { sub: triage.clientId, actor_type: 'agent' });
  assert.deepEqual([seen.agent_id, seen.agent_chain], [triage.clientId, [triage.clientId]]);
  assert.equal((await internet.knock(tickets, itself))[0], 401, 'of its own the agent has no access');
  denied(await triage.exchange(access_token, { ...acting, scope: 'tickets/close' }), 'invalid_scope');
});
