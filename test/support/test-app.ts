import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type RequestOptions, request } from 'node:http';
import type { AuthMethod } from '@authserver/oauth';
import type { TestUser } from './auth-server.ts';
import { type Page, TestBrowser } from './browser.ts';

export type Answer<Body = Record<string, unknown>> = { status: number; headers: Headers; body: Body };
export type Tokens = {
  access_token: string;
  refresh_token: string;
  scope: string;
  expires_in: number;
  token_type: string;
};
export type Form = Record<string, string | readonly string[] | undefined>;
export type RequestHeaders = Record<string, string>;

export type AuthorizeOptions = {
  user: TestUser;
  scope?: string;
  /** One resource, or several (RFC 8707 §2). */
  resource?: string | readonly string[];
  redirectUri?: string;
  /** Scopes ticked on the consent page; all that are offered unless said. */
  tick?: readonly string[];
  /** Further parameters of the authorization request. */
  params?: Form;
};

export type Grant = {
  code: string;
  verifier: string;
  redirectUri: string;
  resource: string | readonly string[] | undefined;
  callback: URL;
};

/** An OAuth client the way an app uses it. */
export class TestApp {
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly authMethod: AuthMethod;
  readonly redirectUris: readonly string[];
  readonly #urls: readonly string[];

  constructor(
    urls: readonly string[],
    client: {
      clientId: string;
      clientSecret: string | undefined;
      authMethod: AuthMethod;
      redirectUris: readonly string[];
    },
  ) {
    this.#urls = urls;
    this.clientId = client.clientId;
    this.clientSecret = client.clientSecret;
    this.authMethod = client.authMethod;
    this.redirectUris = client.redirectUris;
  }

  /** The address of an endpoint at one of the pods. */
  url(path: string, pod = 0): string {
    return `${this.#urls[pod]}${path}`;
  }

  /** A complete authorization request; parameters given replace, `undefined` removes. */
  authorizeUrl(challenge: string, params: Form = {}): string {
    const query = new URLSearchParams();
    const all: Form = {
      response_type: 'code',
      client_id: this.clientId,
      redirect_uri: this.redirectUris[0],
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state: 'the-state',
      ...params,
    };
    for (const [name, value] of Object.entries(all))
      for (const one of [value].flat()) if (one !== undefined) query.append(name, one as string);
    return `${this.url('/oauth/authorize')}?${query}`;
  }

  /** Sends a browser to the authorization endpoint: the first answer to a complete request, changed by `params`. */
  start(params: Form = {}, browser = new TestBrowser()): Promise<Page> {
    return browser.get(this.authorizeUrl(pkce().challenge, params));
  }

  /** From the authorization request through login and consent to the code. */
  async code(options: AuthorizeOptions, browser = new TestBrowser()): Promise<Grant> {
    const { verifier, challenge } = pkce();
    const redirectUri = options.redirectUri ?? (this.redirectUris[0] as string);
    const start = await browser.get(
      this.authorizeUrl(challenge, {
        redirect_uri: redirectUri,
        scope: options.scope,
        resource: options.resource,
        ...options.params,
      }),
    );
    const callback = await this.throughPages(browser, start, options);
    const code = callback.searchParams.get('code');
    assert.ok(code, `no code in ${callback.href}`);
    return { code, verifier, redirectUri, resource: options.resource, callback };
  }

  /** Signs in and consents, as far as the pages ask, and returns where the browser is sent. */
  async throughPages(
    browser: TestBrowser,
    start: Page,
    options: Pick<AuthorizeOptions, 'user' | 'tick'>,
  ): Promise<URL> {
    let page = await browser.follow(start);
    if (new URL(page.url).pathname.endsWith('/login')) {
      page = await browser.follow(await signIn(browser, page, options.user));
    }
    if (new URL(page.url).pathname.endsWith('/consent')) {
      page = await answerConsent(browser, page, 'allow', options.tick);
    }
    assert.ok(page.location, `expected a redirect to the client, got ${page.status}:\n${page.html}`);
    return page.location;
  }

  async redeem(grant: Grant, overrides: Form = {}, pod = 0, headers: RequestHeaders = {}): Promise<Answer<Tokens>> {
    return this.token(
      {
        grant_type: 'authorization_code',
        code: grant.code,
        redirect_uri: grant.redirectUri,
        code_verifier: grant.verifier,
        resource: grant.resource,
        ...overrides,
      },
      pod,
      headers,
    ) as Promise<Answer<Tokens>>;
  }

  async authorize(options: AuthorizeOptions): Promise<Tokens> {
    return ok(await this.redeem(await this.code(options)));
  }

  refresh(refreshToken: string, overrides: Form = {}, pod = 0, headers: RequestHeaders = {}): Promise<Answer<Tokens>> {
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken, ...overrides };
    return this.token(form, pod, headers) as Promise<Answer<Tokens>>;
  }

  clientCredentials(overrides: Form = {}, pod = 0, headers: RequestHeaders = {}): Promise<Answer<Tokens>> {
    return this.token({ grant_type: 'client_credentials', ...overrides }, pod, headers) as Promise<Answer<Tokens>>;
  }

  token(form: Form, pod = 0, headers: RequestHeaders = {}): Promise<Answer> {
    return this.post('/oauth/token', form, pod, headers);
  }

  /** RFC 8693; the token is one of ours. */
  exchange(
    subjectToken: string,
    overrides: Form = {},
    pod = 0,
    headers: RequestHeaders = {},
  ): Promise<Answer<Tokens & { issued_token_type: string }>> {
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      ...overrides,
    };
    return this.token(form, pod, headers) as Promise<Answer<Tokens & { issued_token_type: string }>>;
  }

  introspect(token: string, pod = 0): Promise<Answer<{ active: boolean } & Record<string, unknown>>> {
    return this.post('/oauth/introspect', { token }, pod) as Promise<Answer<{ active: boolean }>>;
  }

  revoke(token: string, pod = 0): Promise<Answer> {
    return this.post('/oauth/revoke', { token }, pod);
  }

  /** Posts a form with this client's own authentication. */
  post(path: string, form: Form, pod = 0, headers: RequestHeaders = {}): Promise<Answer> {
    const basic = this.authMethod === 'client_secret_basic';
    const identity: Form = basic
      ? {}
      : { client_id: this.clientId, ...(this.clientSecret ? { client_secret: this.clientSecret } : {}) };
    const authorization = basic ? { authorization: this.basic() } : {};
    return postForm(this.url(path, pod), { ...identity, ...form }, { ...authorization, ...headers });
  }

  basic(): string {
    return `Basic ${Buffer.from(`${this.clientId}:${this.clientSecret}`).toString('base64')}`;
  }
}

export const postForm = async (url: string, form: Form, headers: Record<string, string> = {}): Promise<Answer> => {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(form))
    for (const one of [value].flat()) if (one !== undefined) body.append(name, one as string);
  return read(await fetch(url, { method: 'POST', body, headers, redirect: 'manual' }));
};

export const read = async (response: Response): Promise<Answer> => {
  const text = await response.text();
  // Lines of JSON are text: they are read one by one.
  const json = /[/+]json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: json && text ? JSON.parse(text) : { text } };
};

export const signIn = async (browser: TestBrowser, page: Page, user: TestUser): Promise<Page> => {
  const field = (name: string) => (page.html.includes(`name="${name}"`) ? page.field(name) : undefined);
  return browser.post(new URL('login', page.url).href, {
    csrf_token: page.field('csrf_token'),
    request: field('request'),
    next: field('next'),
    user_code: field('user_code'),
    ticket: field('ticket'),
    return_url: field('return_url'),
    email: user.email,
    password: user.password,
  });
};

export const answerConsent = async (
  browser: TestBrowser,
  page: Page,
  action: 'allow' | 'deny',
  tick?: readonly string[],
): Promise<Page> => {
  const [form = '', path = ''] =
    /<form method="post" action="([^"]*consent(?:\/exchange)?)"[\s\S]*?<\/form>/.exec(page.html) ?? [];
  const value = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(form)?.[1] ?? '';
  return browser.post(new URL(path, page.url).href, {
    csrf_token: value('csrf_token'),
    request: value('request'),
    action,
    scopes: tick ?? page.checkboxes('scopes'),
  });
};

export const pkce = (): { verifier: string; challenge: string } => {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
};

export const ok = <T>(answer: Answer<T>): T => {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
};

/** Asserts an OAuth error as the RFCs want it on the wire. */
export const denied = (answer: Answer<unknown>, code: string, status = code === 'invalid_client' ? 401 : 400): void => {
  const body = answer.body as Record<string, unknown>;
  assert.equal(body.error, code, JSON.stringify(body));
  assert.equal(answer.status, status);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.match(String(body.error_description), /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
};

/** Asserts an error the client is told at its redirect URI, with `state` and `iss` (RFC 6749 §4.1.2.1, RFC 9207 §2). */
export const deniedByRedirect = (page: Page, app: TestApp, code: string, issuer: string): void => {
  assert.equal(page.status, 303, page.html);
  const location = page.location as URL;
  assert.ok(location.href.startsWith(app.redirectUris[0] as string), location.href);
  assert.equal(location.searchParams.get('error'), code);
  assert.equal(location.searchParams.get('iss'), issuer);
  assert.equal(location.searchParams.get('state'), 'the-state');
  assert.equal(location.searchParams.get('code'), null);
  assert.match(location.searchParams.get('error_description') ?? '', /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
};

/** Asserts that only a page of ours tells what is wrong: nothing is sent anywhere. */
export const deniedByPage = (page: Page, status = 400): void => {
  assert.equal(page.status, status, page.html);
  assert.equal(page.location, undefined);
  assert.match(page.response.headers.get('content-type') ?? '', /^text\/html/);
  assert.equal(page.response.headers.get('cache-control'), 'no-store');
};

/** A request as it is written, without a client library that tidies up paths and headers. */
export const raw = (
  url: string,
  options: RequestOptions & { body?: string | Buffer } = {},
): Promise<{ status: number; headers: Headers; text: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const headers = new Headers();
        for (let index = 0; index < response.rawHeaders.length; index += 2)
          headers.append(response.rawHeaders[index] as string, response.rawHeaders[index + 1] as string);
        resolve({ status: response.statusCode ?? 0, headers, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
