import assert from 'node:assert/strict';
import type { AuthServer, TestUser } from './auth-server.ts';
import { type Page, TestBrowser } from './browser.ts';
import { type Answer, type Form, ok, type RequestHeaders, signIn, type TestApp, type Tokens } from './test-app.ts';

export const deviceGrantType = 'urn:ietf:params:oauth:grant-type:device_code';

export type DeviceAnswer = {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
};

/** Settings that make every `person()` come from another address, so that no test meets the limits of the others. */
export const manyAddresses = { SERVER_TRUSTED_PROXIES: '127.0.0.1,::1' };
let people = 0;
export const person = (): TestBrowser => {
  people += 1;
  return new TestBrowser({ 'x-forwarded-for': `198.51.${people >> 8}.${people & 255}` });
};

/** A device without a browser (RFC 8628), and the person who sits in front of it. */
export class TestDevice {
  readonly app: TestApp;
  constructor(app: TestApp) {
    this.app = app;
  }

  request(form: Form = {}, pod = 0, headers: RequestHeaders = {}): Promise<Answer> {
    return this.app.post('/oauth/device_authorization', form, pod, headers);
  }

  async start(form: Form = {}, pod = 0, headers: RequestHeaders = {}): Promise<DeviceAnswer> {
    return ok(await this.request(form, pod, headers)) as unknown as DeviceAnswer;
  }

  poll(deviceCode: string, form: Form = {}, pod = 0, headers: RequestHeaders = {}): Promise<Answer<Tokens>> {
    const all = { grant_type: deviceGrantType, device_code: deviceCode, ...form };
    return this.app.token(all, pod, headers) as Promise<Answer<Tokens>>;
  }

  /** Signs in, enters the code and stands before the question. */
  async question(user: TestUser, userCode: string, browser = person(), pod = 0): Promise<Page> {
    let page = await browser.follow(await browser.get(this.app.url('/device', pod)));
    if (new URL(page.url).pathname === '/login') page = await browser.follow(await signIn(browser, page, user));
    assert.equal(new URL(page.url).pathname, '/device', page.html);
    return browser.follow(await this.enter(browser, page, userCode));
  }

  enter(browser: TestBrowser, page: Page, userCode: string): Promise<Page> {
    const csrf_token = page.field('csrf_token');
    return browser.post(new URL('device', page.url).href, { csrf_token, user_code: userCode });
  }

  answer(browser: TestBrowser, page: Page, action: string, scopes = page.checkboxes('scopes')): Promise<Page> {
    return browser.post(new URL('/device/confirm', page.url).href, {
      csrf_token: page.field('csrf_token'),
      request: page.field('request'),
      action,
      scopes,
    });
  }

  /** All of it: the device asks, the person allows. */
  async allowed(user: TestUser, form: Form = {}): Promise<DeviceAnswer> {
    const device = await this.start(form);
    const browser = person();
    const page = await this.question(user, device.user_code, browser);
    assert.equal((await this.answer(browser, page, 'allow')).status, 200);
    return device;
  }
}

/** Makes devices: each a client of its own, public and called Terminal unless said. */
export const devicesOf =
  (server: AuthServer) =>
  async (options: Parameters<AuthServer['client']>[0] = {}): Promise<TestDevice> =>
    new TestDevice(
      await server.client({
        grantTypes: [deviceGrantType, 'refresh_token'],
        redirectUris: [],
        name: 'Terminal',
        ...options,
      }),
    );
