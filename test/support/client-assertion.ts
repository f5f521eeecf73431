import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { AuthServer } from './auth-server.ts';
import { type Answer, type Form, postForm } from './test-app.ts';

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A key of a client, with the public half as it is registered. */
export type ClientKey = { alg: string; kid: string; privateKey: CryptoKey; jwk: JWK };

export const newClientKey = async (alg = 'ES256', kid: string = randomUUID()): Promise<ClientKey> => {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig' } };
};

/** How a client's keys are registered: by value, or by where they are. */
export type PublicKeys = { jwks?: { keys: JWK[] }; jwks_uri?: string };

export const machine = { client_name: 'Job', grant_types: ['client_credentials' as const], scope: 'tools/read' };

/** A client that an operator registers with keys in place of a secret; a machine unless `more` says otherwise. */
export const registerWithKeys = async (
  { admin }: AuthServer,
  keys: PublicKeys,
  more: object = machine,
): Promise<string> => {
  const created = await admin.client.create({
    body: { client_name: 'App', token_endpoint_auth_method: 'private_key_jwt', ...keys, ...more } as never,
  });
  assert.equal(created.client_secret, undefined, 'there is no secret beside a key');
  return created.client_id;
};

export type Assertion = { claims?: JWTPayload; header?: Record<string, unknown> };

/** A sound client assertion; claims and header members given replace, `undefined` removes. */
export const signAssertion = (
  { issuer, clock }: AuthServer,
  clientId: string,
  key: ClientKey,
  { claims = {}, header = {} }: Assertion = {},
): Promise<string> => {
  const now = Math.floor(clock.now().getTime() / 1000);
  const payload = { iss: clientId, sub: clientId, aud: issuer, exp: now + 60, iat: now, jti: randomUUID(), ...claims };
  return new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
    .sign(key.privateKey);
};

/** Needs a server that trusts this machine as a proxy. */
export const trustingLocalProxy = { SERVER_TRUSTED_PROXIES: '127.0.0.1/32,::1/128' };
let senders = 0;
/** An address of its own for a request: failures are counted by address, and these tests fail often. */
export const fromElsewhere = () => ({ 'x-forwarded-for': `198.18.${senders >> 8}.${senders++ & 255}` });

/** Asks for a machine token, or posts to `path`, authenticated by an assertion. */
export const askWith = (
  server: AuthServer,
  assertion: string,
  form: Form = {},
  { path = '/oauth/token', pod = 0 }: { path?: string; pod?: number } = {},
): Promise<Answer> =>
  postForm(
    `${server.pods[pod]?.url}${path}`,
    {
      grant_type: 'client_credentials',
      client_assertion_type: assertionType,
      client_assertion: assertion,
      ...form,
    },
    fromElsewhere(),
  );
