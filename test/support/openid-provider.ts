import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after } from 'node:test';
import { SignJWT } from 'jose';

/** What a provider does otherwise than a good one would, for one sign-in. */
export type Misbehaviour = {
  /** Claims of the ID token that are otherwise; `undefined` leaves one out. */
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  /** Signs with this key in place of its own. */
  key?: KeyObject | Uint8Array;
  /** Sent as the ID token, whatever it is. */
  idToken?: string;
  /** Answers of the endpoints in place of good ones. */
  token?: (response: ServerResponse) => void;
  userinfo?: (response: ServerResponse) => void;
  /** Said of `sub` by the userinfo endpoint. */
  profile?: Record<string, unknown>;
  /** Parameters of the way back that are otherwise; `undefined` leaves one out. */
  back?: Record<string, string | undefined>;
};

const newKey = (kid: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' } };
};

/**
 * An OpenID provider on this machine that says what a test wants it to say. It is strict with us, though: client, code, PKCE
 * and redirect URI must be right.
 */
export const startOpenIdProvider = async (client: { id: string; secret: string }, now: () => Date) => {
  const codes = new Map<string, { asked: URLSearchParams; sub: string; how: Misbehaviour }>();
  const tokens = new Map<string, { sub: string; how: Misbehaviour }>();
  const requests: { path: string; authorization: string | undefined; body: string }[] = [];
  let signing = newKey('one');
  let metadata: Record<string, unknown> = {};
  let down = false;
  const json = (response: ServerResponse, body: unknown, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

  const signed = async (asked: URLSearchParams, sub: string, how: Misbehaviour): Promise<string> => {
    if (how.idToken !== undefined) return how.idToken;
    const seconds = Math.floor(now().getTime() / 1000);
    const claims = {
      ...{ iss: issuer, sub, aud: client.id, iat: seconds, exp: seconds + 300, nonce: asked.get('nonce') },
      ...how.claims,
    };
    const header = { alg: 'ES256', kid: signing.kid, ...how.header };
    return new SignJWT(claims).setProtectedHeader(header).sign(how.key ?? signing.privateKey);
  };

  const token = async (response: ServerResponse, form: URLSearchParams, authorization: string | undefined) => {
    const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
    const inForm = form.get('client_id') === client.id && form.get('client_secret') === client.secret;
    if (authorization === undefined ? !inForm : authorization !== basic)
      return json(response, { error: 'invalid_client' }, 401);
    const found = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const fits =
      found?.asked.get('code_challenge') === challenge && found.asked.get('redirect_uri') === form.get('redirect_uri');
    if (!found || !fits) return json(response, { error: 'invalid_grant' }, 400);
    if (found.how.token) return found.how.token(response);
    const access_token = randomBytes(16).toString('base64url');
    tokens.set(access_token, found);
    const id_token = await signed(found.asked, found.sub, found.how);
    return json(response, { access_token, token_type: 'Bearer', expires_in: 300, id_token });
  };

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? '/', issuer);
    const { authorization } = request.headers;
    const body = await text(request);
    requests.push({ path: pathname, authorization, body });
    if (down) return response.destroy();
    if (pathname === '/.well-known/openid-configuration') return json(response, { ...described(), ...metadata });
    if (pathname === '/keys') return json(response, { keys: [signing.jwk] });
    if (pathname === '/token') return token(response, new URLSearchParams(body), authorization);
    const of = tokens.get(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '');
    if (pathname !== '/userinfo' || !of) return json(response, {}, 404);
    return of.how.userinfo ? of.how.userinfo(response) : json(response, { sub: of.sub, ...of.how.profile });
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: Error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  after(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  const described = () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize?tenant=7`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/keys`,
    scopes_supported: ['openid', 'email', 'profile'],
  });

  return {
    issuer,
    requests,
    count: (path: string) => requests.filter((request) => request.path === path).length,
    /** Members of its metadata that are otherwise from now on. */
    describe(members: Record<string, unknown>) {
      metadata = members;
    },
    /** Signs with a new key from now on, and publishes that alone. */
    rotate() {
      signing = newKey(randomBytes(4).toString('hex'));
    },
    /** Hangs up on everybody. */
    goDown(is: boolean) {
      down = is;
    },
    /** What it redirects a browser to that came with an authentication request and is `sub`. */
    signIn(request: URL, sub: string, how: Misbehaviour = {}): string {
      const asked = request.searchParams;
      const code = randomBytes(16).toString('base64url');
      codes.set(code, { asked, sub, how });
      const back = new URL(asked.get('redirect_uri') ?? '');
      for (const [name, value] of Object.entries({ code, state: asked.get('state') ?? undefined, ...how.back }))
        if (value !== undefined) back.searchParams.set(name, value);
      return back.href;
    },
  };
};
