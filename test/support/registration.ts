import assert from 'node:assert/strict';
import type { AuthServer } from './auth-server.ts';
import { type Answer, read, TestApp } from './test-app.ts';

export type ClientInformation = Record<string, unknown> & {
  client_id: string;
  client_secret?: string;
  registration_access_token: string;
  registration_client_uri: string;
  redirect_uris: string[];
};

/** Registers a client as a stranger would (RFC 7591 §3.1), or with an initial access token. */
export const register = async (
  server: AuthServer,
  metadata: unknown,
  options: { pod?: number; token?: string | undefined } = {},
): Promise<Answer> =>
  read(
    await fetch(`${server.pods[options.pod ?? 0]?.url}/oauth/register`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      },
      body: JSON.stringify(metadata),
    }),
  );

export const registered = async (server: AuthServer, metadata: unknown): Promise<ClientInformation> => {
  const answer = await register(server, metadata);
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body as ClientInformation;
};

/** Asks the client configuration endpoint (RFC 7592 §2) with a token, or with none. */
export const manage = async (method: string, uri: string, token: string | undefined, body?: unknown): Promise<Answer> =>
  read(
    await fetch(uri, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );

/** The registered client as the app that uses it. */
export const appOf = (server: AuthServer, client: ClientInformation): TestApp =>
  new TestApp(
    server.pods.map(({ url }) => url),
    {
      clientId: client.client_id,
      clientSecret: client.client_secret,
      authMethod: client.token_endpoint_auth_method as never,
      redirectUris: client.redirect_uris,
    },
  );
