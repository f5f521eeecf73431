/**
 * What a program must bring to the SDK's OAuth flow: a place to receive the browser, and a place to keep what was
 * obtained. The SDK does the rest: discovery, registration, PKCE, the token request.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OAuthClientProvider, OAuthDiscoveryState } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';

export interface LoopbackOptions {
  /** Shows the user, or a test's browser, where to log in. */
  onAuthorizationUrl: (url: URL) => void | Promise<void>;
  /** Port of the redirect URI; 0 takes a free one. Default 3334. */
  port?: number;
  /** A client registered beforehand; without it the SDK registers one (RFC 7591). */
  clientId?: string | undefined;
}

/** Under the names `invalidateCredentials` uses. */
interface Kept {
  state?: string;
  client?: OAuthClientInformationMixed;
  tokens?: OAuthTokens;
  verifier?: string;
  discovery?: OAuthDiscoveryState;
}

/**
 * An OAuth provider for the SDK whose redirect URI is a loopback address of this process (RFC 8252 §7.3).
 * Everything is kept in memory, so each run logs in anew; a real client would store tokens where only the user can
 * read them. `code()` resolves when the browser came back, and rejects when the user said no.
 */
export async function loopbackProvider({ onAuthorizationUrl, port = 3334, clientId }: LoopbackOptions) {
  const callback = Promise.withResolvers<string>();
  callback.promise.catch(() => {}); // reported by code(), which may not be waiting yet
  const kept: Kept = clientId ? { client: { client_id: clientId } } : {};

  const http = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const answer = (status: number, message: string) =>
      response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${message}\n`);
    if (url.pathname !== '/callback') return answer(404, 'Not found.');
    const { code, error, error_description, iss, ...returned } = Object.fromEntries(url.searchParams);
    // Any web page can send a browser here; only the answer to our own request knows the state.
    if (!kept.state || returned.state !== kept.state) return answer(400, 'This login was not started here.');
    delete kept.state;
    const metadata: Record<string, unknown> | undefined = kept.discovery?.authorizationServerMetadata;
    if ((iss || metadata?.authorization_response_iss_parameter_supported) && iss !== metadata?.issuer) {
      callback.reject(new Error(`The answer came from another authorization server: ${iss} (RFC 9207)`));
    } else if (code) {
      callback.resolve(code);
    } else {
      callback.reject(new Error(`Login failed: ${error}${error_description ? ` (${error_description})` : ''}`));
    }
    answer(200, 'Thank you. You can close this page and return to the terminal.');
  });
  http.listen(port, 'localhost');
  await once(http, 'listening');
  const redirectUrl = `http://localhost:${(http.address() as AddressInfo).port}/callback`;

  const provider: OAuthClientProvider = {
    redirectUrl,
    clientMetadata: {
      client_name: 'Quickstart client',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none', // a program on the user's machine can keep no secret
    },
    state: () => {
      kept.state = randomBytes(16).toString('base64url');
      return kept.state;
    },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => void Object.assign(kept, { client }),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void Object.assign(kept, { tokens }),
    codeVerifier: () => kept.verifier ?? '',
    saveCodeVerifier: (verifier) => void Object.assign(kept, { verifier }),
    discoveryState: () => kept.discovery,
    saveDiscoveryState: (discovery) => void Object.assign(kept, { discovery }),
    // The authorization server refused what we hold: the SDK asks us to forget it, and starts over.
    invalidateCredentials: (what) => {
      for (const name of what === 'all' ? (['client', 'tokens'] as const) : [what]) delete kept[name];
    },
    redirectToAuthorization: onAuthorizationUrl,
  };
  return { provider, code: () => callback.promise, close: () => http.close().closeAllConnections() };
}
