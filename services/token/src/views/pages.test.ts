import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountPage, accountPage } from './account-page.ts';
import { type ConsentPage, consentPage } from './consent.ts';
import { deviceCodePage, devicePage } from './device.ts';
import { type HomePage, homePage } from './home.ts';
import { type LoginPage, loginPage, waitText } from './login.ts';
import { messagePage } from './message.ts';
import { otherUserPage } from './other-user.ts';

/** Everything a stranger could try at once, long enough to be cut. */
const hostile = `"><script>alert(1)</script>' onmouseover=x style=x \u202E\u200B\0 https://evil.test ${'w'.repeat(400)}`;

const login = (over: Partial<LoginPage> = {}) => loginPage({ form: { action: '/login', csrfToken: 'c5rf' }, ...over });

const consent = (over: Partial<ConsentPage> = {}) =>
  consentPage({
    action: '/consent',
    csrfToken: 'c5rf',
    request: 'r3quest',
    accountPath: '/account',
    client: { name: 'Planner', id: 'https://planner.test/client.json', verified: false, source: 'cimd' },
    user: { email: 'alice@example.test' },
    resources: [{ displayName: 'Calendar', slug: 'calendar', uri: 'https://calendar.test/mcp' }],
    redirect: { display: 'planner.test', loopback: false, privateScheme: false },
    scopes: [{ name: 'events/read', description: 'Read your events' }, { name: 'events/write' }],
    ...over,
  });

const home = (over: Partial<HomePage> = {}) =>
  homePage({
    issuer: 'http://localhost:9000',
    version: '0.1.0',
    metadataUrl: 'http://localhost:9000/.well-known/oauth-authorization-server',
    steps: [{ title: 'Add a user', command: 'authserver admin user create' }],
    ready: true,
    ...over,
  });

const account = (name: string) => {
  const since = new Date(0);
  const app = { id: name, name, clientId: name, source: 'dcr' as const, blocked: true, since, lastUsed: undefined };
  const view: AccountPage = {
    user: { email: name, name },
    csrfToken: name,
    action: '/account',
    signOutAction: '/logout',
    apps: [
      { ...app, resource: { displayName: name, slug: name, uri: name }, scopes: [name] },
      { ...app, resource: undefined, scopes: [] },
    ],
    sessions: [{ id: name, browser: name, ip: name, signedInAt: since, current: false }],
    more: { apps: true, sessions: true },
    news: 'consent',
  };
  return accountPage(view);
};

const deviceHere = (text: string) => ({
  action: '/device',
  csrfToken: text,
  user: { email: text, name: text },
  switchAccountAction: '/logout',
});
const device = (text: string) =>
  devicePage({
    ...deviceHere(text),
    request: text,
    accountPath: '/account',
    userCode: text,
    client: { name: text, id: text, verified: false, source: 'dcr' },
    resources: [{ displayName: text, slug: text, uri: text }],
    scopes: [{ name: text, description: text }],
    offlineAccess: true,
    origin: { ip: text, same: false, minutesAgo: 2 },
  });

const otherUser = (text: string) =>
  otherUserPage({
    csrfToken: text,
    user: { email: text },
    signOutAction: '/logout',
    next: { next: 'consent', ticket: text },
  });

const pages: Record<string, string> = {
  login: login(),
  'login at a provider alone': login({
    form: undefined,
    identityProvider: { displayName: 'Acme', href: '/oidc/start' },
  }),
  'login nowhere': login({ form: undefined }),
  'login, hostile': login({
    form: { action: '/login', csrfToken: hostile },
    request: hostile,
    email: hostile,
    problem: hostile,
    retryAfterSeconds: 90,
    clientName: hostile,
    redirectHost: hostile,
    identityProvider: { displayName: hostile, href: '/oidc/start' },
  }),
  consent: consent(),
  'consent, hostile': consent({
    csrfToken: hostile,
    request: hostile,
    client: { name: hostile, id: hostile, verified: false, source: 'dcr' },
    user: { email: hostile, name: hostile },
    resources: [
      { displayName: hostile, slug: hostile, uri: hostile },
      { displayName: '', slug: hostile, uri: hostile },
    ],
    redirect: { display: hostile, loopback: true, privateScheme: false },
    scopes: [
      { name: hostile, description: hostile, alreadyGranted: true, at: [hostile, hostile] },
      { name: `${hostile}:x`, description: hostile, at: [hostile] },
      ...Array.from({ length: 12 }, (_, index) => ({ name: `${index % 2 ? '<b>' : '</ul>'}:${index}${hostile}` })),
    ],
    offlineAccess: true,
  }),
  'consent for an exchange': consent({
    redirect: undefined,
    next: { next: 'consent', ticket: 't1cket' },
    actor: { name: 'Gateway', id: 'gateway', verified: true, source: 'admin' },
    kept: ['events/list', 'events/delete'],
  }),
  'consent for an exchange, hostile': consent({
    redirect: undefined,
    next: { next: 'consent', ticket: hostile },
    actor: { name: hostile, id: hostile, verified: false, source: 'dcr' },
    kept: [hostile, hostile],
  }),
  'question for somebody else': otherUser('alice'),
  'question for somebody else, hostile': otherUser(hostile),
  home: home({ signedInAs: 'alice@example.test', csrfToken: 'c5rf' }),
  'home, hostile': home({ adminHint: hostile, version: hostile, steps: [{ title: hostile, command: hostile }] }),
  account: account('Planner'),
  'account, hostile': account(hostile),
  'device code': deviceCodePage(deviceHere('alice')),
  'device code, hostile': deviceCodePage({ ...deviceHere(hostile), typed: hostile, problem: hostile }),
  'device code from a link, hostile': deviceCodePage({ ...deviceHere(hostile), userCode: hostile }),
  device: device('Planner'),
  'device, hostile': device(hostile),
  message: messagePage({ title: 'Expired', lead: 'Start again.', action: { href: '/', label: 'Home' } }),
  'message, hostile': messagePage({ title: hostile, lead: hostile, details: [hostile], requestId: hostile }),
};

/** Every tag of a page, without the text between them. */
const tagsOf = (page: string) => page.replace(/<style>[\s\S]*?<\/style>/, '').match(/<[^>]*>/g) ?? [];

/** The same with attribute values emptied, so that only names remain. */
const namesOf = (tag: string) => tag.replace(/"[^"]*"/g, '""');

for (const [name, page] of Object.entries(pages)) {
  test(`${name}: no script, no inline style, no handler`, () => {
    assert.doesNotMatch(page, /<script|javascript:/i);
    for (const tag of tagsOf(page)) assert.doesNotMatch(namesOf(tag), /\s(style|srcdoc|on\w+)=/i, tag);
  });

  test(`${name}: links, forms and images stay here`, () => {
    for (const tag of tagsOf(page)) {
      for (const [, target] of tag.matchAll(/\s(?:href|action|src)="([^"]*)"/g)) {
        assert.match(target ?? '', /^(\/(?!\/)|data:image\/svg\+xml,)/, tag);
      }
    }
  });

  test(`${name}: no text can reorder the page`, () => {
    const shown = page.replace(/value="[^"]*"/g, '');
    assert.ok(!/[\u202A-\u202E\u2066-\u2069]/.test(shown) && !page.includes('\0'));
  });

  test(`${name}: every input has a label, ids are unique, one main heading`, () => {
    const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
    assert.equal(new Set(ids).size, ids.length);
    for (const tag of tagsOf(page).filter((each) => each.startsWith('<input') && !each.includes('type="hidden"'))) {
      const id = /\sid="([^"]*)"/.exec(tag)?.[1];
      assert.ok(id && page.includes(`<label for="${id}"`), tag);
    }
    for (const [, id] of page.matchAll(/aria-describedby="([^"]*)"/g)) assert.ok(ids.includes(id));
    assert.equal(page.match(/<h1>/g)?.length, 1);
    assert.match(page, /^<!doctype html>\n<html lang="en">/);
  });

  test(`${name}: every form that posts carries the CSRF token`, () => {
    for (const [form] of page.matchAll(/<form[\s\S]*?<\/form>/g)) {
      assert.match(form, /method="post"/);
      assert.match(form, /type="hidden" name="csrf_token" value="[^"]+"/);
    }
  });
}

test('login: fields, and no password given back', () => {
  const page = login({ request: 'r3quest', email: 'a@b.test', problem: 'No.', clientName: 'Planner' });
  assert.match(page, /name="email"[^>]*autocomplete="username"[^>]*value="a@b.test"/);
  assert.match(page, /name="password"[^>]*autocomplete="current-password"/);
  assert.doesNotMatch(/<input id="password"[^>]*>/.exec(page)?.[0] ?? '', /value=/);
  assert.match(page, /name="request" value="r3quest"/);
  assert.match(page, /role="alert"/);
  assert.match(page, /unverified name/);
  assert.doesNotMatch(login(), /role="alert"|name="request"|unverified/);
});

test('login: the wait is never understated', () => {
  const waits = [0, 1, 2.1, 59, 60, 61, 900].map(waitText);
  assert.deepEqual(waits, ['1 second', '1 second', '3 seconds', '59 seconds', 'a minute', '2 minutes', '15 minutes']);
});

test('consent: ticked boxes, and Enter means deny', () => {
  const page = consent();
  const boxes = page.match(/<input[^>]*type="checkbox"[^>]*>/g) ?? [];
  assert.equal(boxes.length, 2);
  for (const box of boxes) assert.match(box, /name="scopes" value="events\/\w+" checked>/);
  assert.deepEqual(
    [...page.matchAll(/name="action" value="(\w+)"/g)].map(([, value]) => value),
    ['deny', 'allow'],
  );
});

test('consent: says what is known about the client', () => {
  assert.match(consent(), />unverified</);
  const verified = consent({ client: { name: 'Planner', id: 'p1', verified: true, source: 'admin' } });
  assert.match(verified, />verified</);
  assert.doesNotMatch(verified, />unverified</);
});

test('consent: says where the answer goes', () => {
  const loopback = { display: '127.0.0.1:33418', loopback: true, privateScheme: false };
  const scheme = { display: 'com.example.app', loopback: false, privateScheme: true };
  assert.match(consent(), /class="host"><bdi>planner\.test</);
  assert.match(consent({ redirect: loopback }), /an app on this device[\s\S]*127\.0\.0\.1:33418[\s\S]*Any program/);
  assert.match(consent({ redirect: scheme }), /an app on this device[\s\S]*com\.example\.app/);
  assert.match(
    consent({ redirect: { ...loopback, loopback: false, display: 'аpple.test' } }),
    /class="host"><bdi>\\u\{430\}pple\.test/,
  );
});

test('consent: several servers are named, and a permission stands at those that offer it', () => {
  const page = consent({
    resources: [
      { displayName: 'Calendar', slug: 'calendar', uri: 'https://calendar.test/mcp' },
      { slug: 'files', uri: 'https://files.test/mcp' },
    ],
    scopes: [
      { name: 'events/read', at: ['Calendar'] },
      { name: 'files/read', at: ['files'] },
      { name: 'search', at: ['Calendar', 'files'] },
    ],
  });
  const text = page.replace(/<style>[\s\S]*?<\/style>/, '').replace(/<[^>]*>/g, '');
  for (const part of [
    'use 2 servers?',
    'https://files.test/mcp',
    'At Calendar\n',
    'At files\n',
    'At Calendar and files\n',
  ])
    assert.ok(text.includes(part), part);
  assert.equal(page.match(/value="search"/g)?.length, 1);
});

test('consent: what is new comes first, what was allowed before is folded away and can still be unticked', () => {
  const before = { name: 'events/read', alreadyGranted: true };
  const page = consent({ scopes: [before, { name: 'events/write' }] });
  assert.match(page, /asks in addition to<[\s\S]*events\/write[\s\S]*<details>[\s\S]*value="events\/read" checked/);
  assert.doesNotMatch(consent({ scopes: [before] }), /<details>/);
});

test('consent: a long list has headings', () => {
  const scopes = ['mail', 'files'].flatMap((group) =>
    Array.from({ length: 6 }, (_, index) => ({ name: `${group}:${index}` })),
  );
  assert.match(consent({ scopes }), /<h4><bdi>mail<\/bdi> \(6\)<\/h4>[\s\S]*<h4><bdi>files<\/bdi> \(6\)/);
});

test('consent: a value the page shortens is posted whole', () => {
  const name = `tools/${'x'.repeat(300)}`;
  assert.ok(consent({ scopes: [{ name }] }).includes(`value="${name}"`));
});

test('message: an action outside this server throws', () => {
  const message = { title: 'Error', lead: 'It failed.' };
  assert.throws(() => messagePage({ ...message, action: { href: 'https://evil.test', label: 'Go on' } }));
});

test('home: a metadata address elsewhere is not linked', () => {
  assert.match(home(), /href="\/\.well-known\/oauth-authorization-server"/);
  assert.doesNotMatch(home({ metadataUrl: 'https://evil.test/x' }), /href="\/x"|evil/);
});

test('the consent page says of an app what is true, and leads to the account page', () => {
  const client = { name: 'Planner', id: 'client_1', verified: true, source: 'admin' } as const;
  const page = consent({ client, offlineAccess: true, accountPath: '/tenant/account' });
  assert.match(page, /This app was added by an administrator of this server\./);
  assert.doesNotMatch(page, /checked this app/);
  assert.match(page, /<a href="\/tenant\/account">your account page<\/a>/);
});
