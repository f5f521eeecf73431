import { randomUUID } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import type { AuthServer } from './auth-server.ts';
import { type ClientKey, newClientKey } from './client-assertion.ts';
import type { startIdentityProviders } from './identity-provider.ts';
import type { Answer, Form, RequestHeaders, TestApp, Tokens } from './test-app.ts';

export const jwtBearerType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

export type AssertionChanges = {
  /** Claims that replace those of a sound assertion, or are left out. */
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  /** Signed with this key instead. */
  key?: ClientKey;
};

/** An identity provider with an account of its own at a server. */
export type TrustedIdp = {
  id: string;
  issuer: string;
  /** Where its keys are, as a path of its host. */
  keysPath: string;
  key: ClientKey;
  /** A sound assertion about `sub` 00u1 for a client, changed as told. */
  assertion(clientId: string, changes?: AssertionChanges): Promise<string>;
};

export type Policy = { client_ids?: string[]; scopes?: string[]; resources?: string[]; priority?: number };

/** A sound assertion of an issuer about `sub` 00u1 for a client of a server, changed as told. */
export const signIdJag = (
  server: Pick<AuthServer, 'issuer' | 'clock'>,
  issuer: string,
  key: ClientKey,
  clientId: string,
  { claims = {}, header = {}, key: signer = key }: AssertionChanges = {},
): Promise<string> => {
  const now = Math.floor(server.clock.now().getTime() / 1000);
  const payload = {
    ...{ iss: issuer, sub: '00u1', aud: server.issuer, client_id: clientId },
    ...{ jti: randomUUID(), iat: now, exp: now + 300 },
    ...claims,
  };
  return new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
    .setProtectedHeader(
      JSON.parse(JSON.stringify({ typ: 'oauth-id-jag+jwt', alg: signer.alg, kid: signer.kid, ...header })),
    )
    .sign(signer.privateKey);
};

/** An identity provider that a server trusts, with one policy: about everything unless said. */
export const trustIdp = async (
  server: AuthServer,
  providers: Awaited<ReturnType<typeof startIdentityProviders>>,
  {
    policy = {},
    alg = 'ES256',
    idp = {},
  }: { policy?: Policy | null; alg?: string; idp?: Record<string, unknown> } = {},
): Promise<TrustedIdp> => {
  const key = await newClientKey(alg);
  const { issuer, path } = providers.newIdp({ keys: { keys: [key.jwk] } });
  const { id } = await server.admin.idp.create({ body: { issuer, ...idp } as never });
  if (policy) await server.admin.xaaPolicy.create({ body: { idp_id: id, ...policy } as never });
  return {
    id,
    issuer,
    keysPath: `${path}/keys`,
    key,
    assertion: (clientId, changes) => signIdJag(server, issuer, key, clientId, changes),
  };
};

/** Trades an assertion for a token. */
export const trade = (
  app: TestApp,
  assertion: string | undefined,
  form: Form = {},
  pod = 0,
  headers: RequestHeaders = {},
): Promise<Answer<Tokens>> =>
  app.token({ grant_type: jwtBearerType, assertion, ...form }, pod, headers) as Promise<Answer<Tokens>>;

/** A client as operators make them for this grant. */
export const assertingClient = (
  server: AuthServer,
  ceiling = ['tools/read', 'tools/write', 'tools/list'],
): Promise<TestApp> => server.client({ authMethod: 'client_secret_basic', grantTypes: [jwtBearerType], ceiling });
