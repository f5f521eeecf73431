import { timingSafeEqual } from 'node:crypto';
import {
  type AuthMethod,
  clientAssertionType,
  hashClientSecret,
  invalidClient,
  invalidRequest,
  OAuthError,
} from '@authserver/oauth';
import type { Client, ClientSecret } from '@authserver/store';
import type { FastifyRequest } from 'fastify';
import type { Params } from '../params.ts';
import { noteAttempt } from '../trace/facts.ts';
import type { Assertions } from './assertion.ts';

export type AuthenticateDeps = {
  findClient: (clientId: string) => Promise<Client | undefined>;
  /** The client as it is now, when that is not what `findClient` said. */
  findNewer: (than: Client) => Promise<Client | undefined>;
  clientSecretPepper: string | undefined;
  assertions: Assertions;
  /** A secret was right; nothing waits for what is done with that. */
  onSecretUsed: (secret: ClientSecret) => void;
  now: () => Date;
};

export type ClientAuthenticator = {
  /**
   * Who is asking (RFC 6749 §2.3, OAuth 2.1 §2.4): the client whose registered method was used, and used rightly.
   *
   * @throws {OAuthError} `invalid_request` when two methods are used at once, `invalid_client` for everything else
   */
  authenticate(request: FastifyRequest, params: Params): Promise<Client>;
  /** Lets the flight recorder know who a request says it is from, before anything about it can fail. */
  notePresented(request: FastifyRequest, params: Params): void;
};

type Presented = { method: AuthMethod; clientId: string; secret: string; assertion?: string };

/** Compared with when there is nothing to compare with, so that an unknown id costs what a wrong secret costs. */
const nothing = Buffer.alloc(32);

export const createClientAuthenticator = (deps: AuthenticateDeps): ClientAuthenticator => {
  /** @throws {OAuthError} `invalid_client` when what is presented is not this client's */
  const judge = async (presented: Presented, client: Client | undefined): Promise<Client> => {
    const secret = matchingSecret(client, presented.secret);
    if (!client) throw invalidClient('client_unknown');
    if (client.tokenEndpointAuthMethod !== presented.method) throw invalidClient('client_method_mismatch');
    if (presented.assertion !== undefined) {
      const assertion = await deps.assertions.verify(presented.assertion, client);
      requireActive(client);
      await deps.assertions.claim(assertion, client);
      return client;
    }
    if (presented.method !== 'none' && !secret) throw invalidClient('client_secret_invalid');
    requireActive(client);
    if (secret) deps.onSecretUsed(secret);
    return client;
  };

  const matchingSecret = (of: Client | undefined, text: string): ClientSecret | undefined => {
    const given = hashClientSecret(text, deps.clientSecretPepper);
    const now = deps.now();
    const valid = (of?.secrets ?? []).filter(({ expiresAt }) => !expiresAt || expiresAt > now);
    const candidates = valid.length > 0 ? valid.map(({ hash }) => hash) : [nothing];
    return valid[candidates.map((hash) => timingSafeEqual(hash, given)).indexOf(true)];
  };

  return {
    async authenticate(request, params) {
      const presented = readCredentials(request, params, deps.assertions);
      const client = await deps.findClient(presented.clientId);
      try {
        return await judge(presented, client);
      } catch (error) {
        // A secret that an operator has just made, used before the news of it came here: a refusal would make the client
        // drop its registration. Whoever guesses pays for this read with their budget of failures.
        const newer = client && isInvalidClient(error) ? await deps.findNewer(client) : undefined;
        if (!newer) throw error;
        return judge(presented, newer);
      }
    },

    notePresented(request, params) {
      const clientId = presentedClientId(request, params, deps.assertions);
      if (clientId !== undefined) noteAttempt(request, { clientId });
    },
  };
};

const isInvalidClient = (error: unknown): boolean => error instanceof OAuthError && error.code === 'invalid_client';

const presentedClientId = (request: FastifyRequest, params: Params, assertions: Assertions): string | undefined => {
  const { client_id: clientId, client_assertion: assertion } = params;
  if (clientId !== undefined) return clientId;
  if (assertion !== undefined) return assertions.claimedClientId(assertion);
  return readBasic(request.headers.authorization ?? '')?.clientId;
};

const requireActive = ({ status }: Client): void => {
  if (status !== 'active') throw invalidClient('client_not_active');
};

const readCredentials = (request: FastifyRequest, params: Params, assertions: Assertions): Presented => {
  if (countHeader(request, 'authorization') > 1)
    throw invalidRequest('More than one Authorization header.', 'client_ambiguous');
  const header = request.headers.authorization;
  if (params.client_assertion !== undefined || params.client_assertion_type !== undefined) {
    if (header !== undefined || params.client_secret !== undefined)
      throw invalidRequest('The client authenticates in more than one way.', 'client_ambiguous');
    return readAssertion(params, assertions);
  }
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

/** RFC 7523 §2.2. `client_id` is not needed; when it is there, it must not say something else (RFC 7521 §4.2). */
const readAssertion = (params: Params, assertions: Assertions): Presented => {
  const { client_assertion: assertion, client_assertion_type: type } = params;
  if (assertion === undefined || type !== clientAssertionType)
    throw invalidClient(
      'client_assertion_invalid',
      `A client assertion is sent as client_assertion, with client_assertion_type ${clientAssertionType}.`,
    );
  const clientId = assertions.claimedClientId(assertion);
  if (clientId === undefined) throw invalidClient('client_assertion_invalid');
  if (params.client_id !== undefined && params.client_id !== clientId)
    throw invalidClient('client_ambiguous', "client_id and the client assertion's sub differ.");
  return { method: 'private_key_jwt', clientId, secret: '', assertion };
};

/** Both halves are form-encoded (RFC 6749 §2.3.1); what we issue needs no encoding, so clients that forget it work. */
const readBasic = (header: string): { clientId: string; secret: string } | undefined => {
  const encoded = /^basic +([A-Za-z0-9+/_=-]+) *$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 1) return undefined;
  const decode = (part: string) => (/[+%]/.test(part) ? decodeURIComponent(part.replaceAll('+', ' ')) : part);
  try {
    return { clientId: decode(pair.slice(0, colon)), secret: decode(pair.slice(colon + 1)) };
  } catch {
    return undefined;
  }
};

const countHeader = (request: FastifyRequest, name: string): number => {
  const { rawHeaders } = request.raw;
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const entry = rawHeaders[index] as string;
    if (entry.length === name.length && entry.toLowerCase() === name) count += 1;
  }
  return count;
};
