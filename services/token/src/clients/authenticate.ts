import { timingSafeEqual } from 'node:crypto';
import { type AuthMethod, hashClientSecret, invalidClient, invalidRequest } from '@authserver/oauth';
import type { Client } from '@authserver/store';
import type { FastifyRequest } from 'fastify';
import type { Params } from '../params.ts';

export type AuthenticateDeps = {
  findClient: (clientId: string) => Promise<Client | undefined>;
  clientSecretPepper: string | undefined;
  now: () => Date;
};

export type ClientAuthenticator = {
  /**
   * Who is asking (RFC 6749 §2.3, OAuth 2.1 §2.4): the client whose registered method was used, and used rightly.
   *
   * @throws {OAuthError} `invalid_request` when two methods are used at once, `invalid_client` for everything else
   */
  authenticate(request: FastifyRequest, params: Params): Promise<Client>;
};

type Presented = { method: AuthMethod; clientId: string; secret: string };

/** Compared with when there is nothing to compare with, so that an unknown id costs what a wrong secret costs. */
const nothing = Buffer.alloc(32);

export const createClientAuthenticator = (deps: AuthenticateDeps): ClientAuthenticator => ({
  async authenticate(request, params) {
    const presented = readCredentials(request, params);
    const client = await deps.findClient(presented.clientId);
    const secretMatches = hasSecret(client, presented.secret);
    if (!client) throw invalidClient('client_unknown');
    if (client.tokenEndpointAuthMethod !== presented.method) throw invalidClient('client_method_mismatch');
    if (presented.method !== 'none' && !secretMatches) throw invalidClient('client_secret_invalid');
    if (client.status !== 'active') throw invalidClient('client_not_active');
    return client;

    function hasSecret(of: Client | undefined, secret: string): boolean {
      const given = hashClientSecret(secret, deps.clientSecretPepper);
      const now = deps.now();
      const valid = (of?.secrets ?? []).filter(({ expiresAt }) => !expiresAt || expiresAt > now);
      const candidates = valid.length > 0 ? valid.map(({ hash }) => hash) : [nothing];
      return candidates.map((hash) => timingSafeEqual(hash, given)).includes(true) && valid.length > 0;
    }
  },
});

const readCredentials = (request: FastifyRequest, params: Params): Presented => {
  if (countHeader(request, 'authorization') > 1)
    throw invalidRequest('More than one Authorization header.', 'client_ambiguous');
  const header = request.headers.authorization;
  if (params.client_assertion !== undefined || params.client_assertion_type !== undefined)
    throw invalidClient('client_method_mismatch');
  if (header === undefined) {
    if (params.client_id === undefined) throw invalidClient('client_missing');
    const method = params.client_secret === undefined ? 'none' : 'client_secret_post';
    return { method, clientId: params.client_id, secret: params.client_secret ?? '' };
  }
  if (params.client_secret !== undefined)
    throw invalidRequest('The client authenticates in more than one way.', 'client_ambiguous');
  const basic = readBasic(header);
  if (!basic) throw invalidClient('client_missing');
  if (params.client_id !== undefined && params.client_id !== basic.clientId)
    throw invalidRequest('Two client identities in one request.', 'client_ambiguous');
  return { method: 'client_secret_basic', ...basic };
};

/** Both halves are form-encoded (RFC 6749 §2.3.1); what we issue needs no encoding, so clients that forget it work. */
const readBasic = (header: string): { clientId: string; secret: string } | undefined => {
  const encoded = /^basic +([A-Za-z0-9+/_=-]+) *$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 1) return undefined;
  const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '));
  try {
    return { clientId: decode(pair.slice(0, colon)), secret: decode(pair.slice(colon + 1)) };
  } catch {
    return undefined;
  }
};

const countHeader = (request: FastifyRequest, name: string): number =>
  request.raw.rawHeaders.filter((entry, index) => index % 2 === 0 && entry.toLowerCase() === name).length;
