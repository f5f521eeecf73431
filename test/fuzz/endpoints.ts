/** What the public endpoints take when all is well: the requests that are then spoiled. */

/** Things that are real at the server under test, as its test made them. */
export type Real = {
  openClient: string;
  clientId: string;
  clientSecret: string;
  resource: string;
  slug: string;
  redirectUri: string;
  email: string;
  cookie: string;
  csrf: string;
  /** Sealed authorization requests, as login and consent pages carry them. */
  loginRequest: string;
  consentRequest: string;
  accessToken: string;
  refreshToken: string;
  registrationPath: string;
  registrationToken: string;
};

export type Endpoint = {
  methods: readonly string[];
  path: string;
  query?: Readonly<Record<string, string>>;
  form?: Readonly<Record<string, string>>;
  json?: Readonly<Record<string, unknown>>;
  /** Members that are seldom there, because most requests with them are refused early. */
  rare?: Readonly<Record<string, unknown>>;
  /** How often it is chosen, 1 unless said. */
  weight?: number;
  /** Bearer token that opens it. */
  bearer?: string;
};

const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

/** The list in services/token/src/app.ts; the fuzzer's test compares the two. */
export const endpointsOf = (real: Real): Endpoint[] => {
  const authorization = {
    response_type: 'code',
    client_id: real.openClient,
    redirect_uri: real.redirectUri,
    scope: 'tools/read',
    resource: real.resource,
    state: 's',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  };
  const rareInAuthorization = {
    response_mode: 'query',
    prompt: 'consent',
    max_age: '60',
    acr_values: '1',
    dpop_jkt: challenge,
    request_uri: 'urn:ietf:params:oauth:request_uri:x',
    request: 'a.b.c',
    login_hint: real.email,
  };
  const token = {
    grant_type: 'authorization_code',
    code: 'c',
    code_verifier: 'v'.repeat(43),
    redirect_uri: real.redirectUri,
    refresh_token: real.refreshToken,
    device_code: 'd',
    scope: 'tools/read',
    resource: real.resource,
  };
  const metadata = {
    client_name: 'Fuzz',
    redirect_uris: ['https://app.example.com/cb'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'web',
    scope: 'tools/read',
    contacts: ['a@example.com'],
  };
  const rareInMetadata = {
    client_uri: 'https://app.example.com/',
    logo_uri: 'https://app.example.com/logo.png',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [] },
    jwks_uri: 'https://client.example/jwks',
    software_statement: 'a.b.c',
    dpop_bound_access_tokens: true,
    client_id: 'x',
  };
  const answer = { request: real.consentRequest, csrf_token: real.csrf, action: 'allow', scopes: 'tools/read' };
  return [
    {
      methods: ['GET', 'POST'],
      path: '/oauth/authorize',
      query: authorization,
      form: authorization,
      rare: rareInAuthorization,
      weight: 4,
    },
    { methods: ['GET'], path: '/oauth/continue', query: { request: real.loginRequest } },
    { methods: ['GET'], path: '/oauth/return', query: { to: real.loginRequest } },
    { methods: ['POST'], path: '/oauth/token', form: token, weight: 6 },
    { methods: ['POST'], path: '/oauth/par', form: authorization, rare: rareInAuthorization, weight: 3 },
    { methods: ['POST'], path: '/oauth/device_authorization', form: { scope: 'tools/read', resource: real.resource } },
    {
      methods: ['POST'],
      path: '/oauth/introspect',
      form: { token: real.accessToken, token_type_hint: 'x' },
      weight: 2,
    },
    { methods: ['POST'], path: '/oauth/revoke', form: { token: 'x', token_type_hint: 'access_token' }, weight: 2 },
    { methods: ['POST'], path: '/oauth/register', json: metadata, rare: rareInMetadata, weight: 3 },
    {
      methods: ['GET', 'PUT', 'DELETE'],
      path: real.registrationPath,
      json: metadata,
      rare: { ...rareInMetadata, client_id: real.registrationPath.split('/').at(-1) },
      bearer: real.registrationToken,
      weight: 2,
    },
    {
      methods: ['GET', 'POST'],
      path: '/login',
      query: { request: real.loginRequest, next: '/account' },
      form: { email: real.email, password: 'x', csrf_token: real.csrf, request: real.loginRequest },
    },
    { methods: ['GET', 'POST'], path: '/consent', query: { request: real.consentRequest }, form: answer, weight: 2 },
    {
      methods: ['GET', 'POST'],
      path: '/consent/exchange',
      query: { ticket: real.consentRequest, return_url: 'https://client.example/cb' },
      form: answer,
    },
    { methods: ['POST'], path: '/logout', form: { csrf_token: 'x', request: real.loginRequest, next: '/' } },
    {
      methods: ['GET', 'POST'],
      path: '/account',
      query: { done: 'x' },
      form: { csrf_token: real.csrf, action: 'end_app', consent: 'x', session: 'x' },
      weight: 2,
    },
    {
      methods: ['GET', 'POST'],
      path: '/device',
      query: { user_code: 'BCDF-GHJK' },
      form: { csrf_token: real.csrf, user_code: 'BCDF-GHJK' },
      weight: 2,
    },
    { methods: ['GET', 'POST'], path: '/device/confirm', query: { request: real.consentRequest }, form: answer },
    { methods: ['GET'], path: '/' },
    { methods: ['GET'], path: '/.well-known/oauth-authorization-server' },
    { methods: ['GET'], path: '/.well-known/openid-configuration' },
    { methods: ['GET'], path: '/.well-known/jwks.json' },
    { methods: ['GET'], path: `/.well-known/oauth-protected-resource/${real.slug}`, weight: 2 },
    { methods: ['GET'], path: '/livez' },
    { methods: ['GET'], path: '/ready' },
    { methods: ['GET'], path: '/health' },
  ];
};
