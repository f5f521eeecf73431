/**
 * `oidc-provider`, set up for production: in-memory clients, an ES256 key, JWT access tokens for one resource and opaque
 * ones for another, rotated refresh tokens. Whoever comes to sign in is somebody new, and agrees.
 * Environment: PORT, DSN, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, RESOURCE, SCOPE.
 */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import Provider from 'oidc-provider';
import pg from 'pg';
import { createTable, postgresAdapter, sent } from './adapter.ts';

const { PORT, DSN, CLIENT_ID = '', CLIENT_SECRET = '', REDIRECT_URI = '', RESOURCE = '', SCOPE = '' } = process.env;
const pool = new pg.Pool({ connectionString: DSN, max: 25 });
await createTable(pool);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(`http://localhost:${PORT}`, {
  adapter: postgresAdapter(pool),
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
      redirect_uris: [REDIRECT_URI],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  routes: {
    authorization: '/oauth/authorize',
    token: '/oauth/token',
    introspection: '/oauth/introspect',
    jwks: '/.well-known/jwks.json',
  },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, indicator) =>
        indicator === RESOURCE
          ? { scope: SCOPE, audience: RESOURCE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }
          : { scope: SCOPE, audience: indicator, accessTokenFormat: 'opaque' },
    },
  },
  ttl: {
    AccessToken: 3600,
    ClientCredentials: 3600,
    AuthorizationCode: 60,
    RefreshToken: 2_592_000,
    Grant: 2_592_000,
    Session: 86_400,
    Interaction: 600,
  },
  rotateRefreshToken: true,
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
});

/** Signs somebody in and agrees for them, without a page. */
const interact = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  await provider.interactionDetails(request, response);
  const accountId = randomUUID();
  const grant = new provider.Grant({ accountId, clientId: CLIENT_ID });
  grant.addResourceScope(RESOURCE, SCOPE);
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
};

const handle = provider.callback();
createServer((request, response) => {
  if (request.url === '/statements') response.end(String(sent.statements));
  else if (request.url?.startsWith('/interaction/')) void interact(request, response);
  else void handle(request, response);
}).listen(Number(PORT), '127.0.0.1');
