import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import Provider, { type ClientMetadata, errors, type KoaContextWithOIDC } from 'oidc-provider';

const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const idJag = 'urn:ietf:params:oauth:token-type:id-jag';

/** Another authorization server, as what its assertions are for. */
const audienceOf = (audience: string) => ({
  scope: 'tools/read tools/write',
  audience,
  accessTokenFormat: 'jwt' as const,
  jwt: { sign: { alg: 'ES256' as const } },
});

/**
 * `oidc-provider` as the identity provider of an organisation: it signs its people in, and trades their id tokens for
 * assertions (ID-JAG §4.3), with keys of its own that it publishes itself.
 */
export const startAssertionProvider = async (client: { id: string; secret: string }) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = createServer((request, response) => provider.callback()(request, response));
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  const registered: ClientMetadata = {
    client_id: client.id,
    client_secret: client.secret,
    grant_types: ['authorization_code', tokenExchange],
    redirect_uris: ['https://app.example.com/cb'],
    token_endpoint_auth_method: 'client_secret_post',
    id_token_signed_response_alg: 'ES256',
  };
  const provider = new Provider(`http://localhost:${port}`, {
    clients: [registered],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, indicator) => audienceOf(indicator),
      },
    },
    formats: {
      customizers: {
        jwt(ctx, _token, jwt) {
          const { resource } = ctx?.oidc.params ?? {};
          jwt.header = { typ: 'oauth-id-jag+jwt' };
          jwt.payload = { ...jwt.payload, resource };
        },
      },
    },
    ttl: { AccessToken: 300, IdToken: 600 },
  });

  const exchange = async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { client: asking, params } = ctx.oidc;
    const { audience, subject_token, requested_token_type, scope } = params as Record<string, string>;
    if (!asking || requested_token_type !== idJag || !audience || !subject_token)
      throw new errors.InvalidRequest('an assertion is all there is to have');
    const { payload } = await provider.IdToken.validate(subject_token, asking);
    const token = new provider.AccessToken({
      ...{ client: asking, accountId: payload.sub as string, grantId: '', gty: tokenExchange, scope },
    } as never);
    token.resourceServer = new provider.ResourceServer(audience, audienceOf(audience));
    const assertion = await token.save();
    ctx.body = { access_token: assertion, issued_token_type: idJag, token_type: 'N_A', expires_in: 300, scope };
  };
  const parameters = ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'resource', 'scope'];
  provider.registerGrantType(tokenExchange, exchange, parameters, []);
  after(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });

  return {
    issuer: provider.issuer,
    /** What the client holds once somebody signed in there. */
    async idToken(subject: string): Promise<string> {
      const known = await provider.Client.find(client.id);
      if (!known) throw new Error('the client is not known');
      const token = new provider.IdToken({ sub: subject } as never, { client: known } as never);
      Object.assign(token, { scope: 'openid' });
      return token.issue({ use: 'idtoken' });
    },
  };
};
