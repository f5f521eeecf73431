import type { ClientView, CreatedClient, UpdateClient } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import {
  type GrantType,
  hashClientSecret,
  metadataProblems,
  newClientId,
  newClientSecret,
  responseTypesOf,
} from '@authserver/oauth';
import type { Client, Repositories } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { ChangedMeanwhile, conflict, invalid, notFound, orConflict } from './refusals.ts';

export type ClientDeps = { config: Config; metrics: Metrics };

export const clientHandlers = ({
  config,
  metrics,
}: ClientDeps): Pick<HandlersOf<'client'>, 'list' | 'get' | 'create' | 'update' | 'delete'> => ({
  async list({ query: { limit, offset, cursor, ...query }, store, page }) {
    const { status, source, agent, scope, q: text, grant_type: grantType, redirect_uri: redirectUri } = query;
    const unusedSince = query.last_used_before === undefined ? undefined : new Date(query.last_used_before);
    const filter = { status, source, agent, scope, text, grantType, redirectUri, unusedSince };
    const found = await store.clients.list(filter, { limit, offset, after: cursor });
    page(found);
    return found.rows.map(toView);
  },

  async get({ params, store, etag }) {
    const client = await requireClient(store, params.id);
    etag(client.version);
    return toView(client);
  },

  async create({ body, store, record, afterCommit, etag }) {
    requireGrants(body.grant_types, config);
    const secret = hasSecrets({ tokenEndpointAuthMethod: body.token_endpoint_auth_method })
      ? (body.client_secret ?? newClientSecret())
      : undefined;
    const inserting = store.clients.insert({
      clientId: body.client_id ?? newClientId(),
      clientName: body.client_name,
      redirectUris: body.redirect_uris,
      grantTypes: body.grant_types,
      responseTypes: responseTypesOf(body.grant_types),
      tokenEndpointAuthMethod: body.token_endpoint_auth_method,
      applicationType: body.application_type,
      ceiling: toScopes(body.scope),
      registrationSource: 'admin',
      cimdUrl: undefined,
      agent: body.agent,
      agentDescription: body.agent_description,
      jwks: body.jwks,
      jwksUri: body.jwks_uri,
      dpopBoundAccessTokens: body.dpop_bound_access_tokens,
      requirePushedAuthorizationRequests: body.require_pushed_authorization_requests,
      refreshTokenPolicy: body.refresh_token_policy,
    });
    const client = await orConflict(inserting, () => 'A client with this id exists already.');
    const { clientId } = client;
    if (secret) await store.clients.replaceSecret(clientId, hashClientSecret(secret, config.client_secret_pepper));
    record({
      action: 'client.created_admin',
      feed: { kind: 'client', key: clientId },
      clientId,
      details: { name: client.clientName, after: toView(client) },
    });
    afterCommit(() => metrics.clientsRegistered.inc({ source: 'admin' }));
    etag(client.version);
    return toCreatedView(client, body.client_secret === undefined ? secret : undefined);
  },

  async update({ params, body, store, record, match, etag }) {
    const before = await requireClient(store, params.id);
    match(before.version);
    etag(before.version);
    if (Object.keys(body).length === 0) return toView(before);
    if (body.grant_types) requireGrants(body.grant_types, config);
    requireOwnMetadata(before, body);
    const wanted: Client = {
      ...before,
      ...keysAfter(before, body),
      clientName: body.client_name ?? before.clientName,
      redirectUris: body.redirect_uris ?? before.redirectUris,
      grantTypes: body.grant_types ?? before.grantTypes,
      ceiling: body.scope === undefined ? before.ceiling : toScopes(body.scope),
      dpopBoundAccessTokens: body.dpop_bound_access_tokens ?? before.dpopBoundAccessTokens,
      requirePushedAuthorizationRequests:
        body.require_pushed_authorization_requests ?? before.requirePushedAuthorizationRequests,
      refreshTokenPolicy: body.refresh_token_policy ?? before.refreshTokenPolicy,
    };
    requireSoundMetadata(wanted);
    const after = await store.clients.update(wanted);
    if (!after) throw new ChangedMeanwhile('client');
    const { clientId } = after;
    record({
      action: 'client.updated',
      feed: { kind: 'client', key: clientId },
      clientId,
      details: { before: toView(before), after: toView(after) },
    });
    etag(after.version);
    return toView(after);
  },

  async delete({ params, query: { force }, store, record, match, now }) {
    const before = await requireClient(store, params.id);
    match(before.version);
    const { clientId } = before;
    const live = await store.clients.countLive(clientId, now);
    if (!force && live.families + live.tokens > 0)
      throw conflict(
        `The client holds ${live.families} live token families and ${live.tokens} machine tokens; delete it with force=true to end them.`,
      );
    await store.consentGrants.lockOf({ clientId });
    await store.tokenFamilies.revokeAll({ clientId }, 'client_deleted', now);
    // Rows of issued tokens outlive the client; the marker is what makes them dead.
    await store.revocationMarkers.set('client', clientId, now);
    await store.clients.delete(clientId);
    // Who comes back with it is told what became of it.
    if (before.firstUserId ?? before.lastUsedAt) await store.clientTombstones.set(clientId, 'deleted', now);
    record({
      action: 'client.deleted',
      feed: { kind: 'client', key: clientId },
      clientId,
      details: { force, revoked_families: live.families, before: toView(before) },
    });
  },
});

export const requireClient = async ({ clients }: Pick<Repositories, 'clients'>, clientId: string): Promise<Client> => {
  const client = await clients.find(clientId);
  if (!client) throw notFound('client');
  return client;
};

/** @throws {Problem} naming each grant that is off, and the variable that turns it on */
const requireGrants = (grantTypes: readonly GrantType[], config: Config): void => {
  const unavailable: Partial<Record<GrantType, string>> = {
    ...(config.token_exchange.enabled
      ? {}
      : {
          'urn:ietf:params:oauth:grant-type:token-exchange':
            'token exchange is off; AUTHPLANE_TOKEN_EXCHANGE_ENABLED=true turns it on',
        }),
    ...(config.client_credentials.enabled
      ? {}
      : { client_credentials: 'client_credentials is off; AUTHPLANE_CLIENT_CREDENTIALS_ENABLED=true turns it on' }),
    ...(config.xaa.enabled
      ? {}
      : {
          'urn:ietf:params:oauth:grant-type:jwt-bearer':
            'the JWT bearer grant is off; AUTHPLANE_XAA_ENABLED=true turns it on',
        }),
    ...(config.device.enabled
      ? {}
      : {
          'urn:ietf:params:oauth:grant-type:device_code':
            'the device grant is off; AUTHPLANE_DEVICE_ENABLED=true turns it on',
        }),
  };
  const problems = grantTypes.flatMap((type) => unavailable[type] ?? []);
  if (problems.length > 0) throw invalid(problems.map((problem) => `grant_types: ${problem}`));
};

/** Whether a client is given a secret of our making. */
export const hasSecrets = ({ tokenEndpointAuthMethod }: Pick<Client, 'tokenEndpointAuthMethod'>): boolean =>
  tokenEndpointAuthMethod === 'client_secret_basic' || tokenEndpointAuthMethod === 'client_secret_post';

/** Keys by value and by reference exclude each other (RFC 7591 §2): naming one ends the other. */
const keysAfter = (
  before: Client,
  { jwks, jwks_uri }: Pick<z.output<typeof UpdateClient>, 'jwks' | 'jwks_uri'>,
): Pick<Client, 'jwks' | 'jwksUri'> =>
  jwks === undefined && jwks_uri === undefined
    ? { jwks: before.jwks, jwksUri: before.jwksUri }
    : { jwks, jwksUri: jwks_uri };

const fromDocument = ['client_name', 'redirect_uris', 'grant_types', 'jwks', 'jwks_uri'] as const;

/** What a client's metadata document says would be said again with its next fetch. */
const requireOwnMetadata = (client: Client, body: z.output<typeof UpdateClient>): void => {
  const theirs =
    client.registrationSource === 'cimd' ? fromDocument.filter((member) => body[member] !== undefined) : [];
  if (theirs.length > 0)
    throw invalid(
      theirs.map((member) => `${member}: comes from the client's metadata document and cannot be changed here`),
    );
};

const requireSoundMetadata = (client: Client): void => {
  const problems = metadataProblems({
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    token_endpoint_auth_method: client.tokenEndpointAuthMethod,
    application_type: client.applicationType,
    jwks: client.jwks,
    jwks_uri: client.jwksUri,
  });
  if (problems.length > 0) throw invalid(problems.map(({ member, message }) => `${member}: ${message}`));
};

const toScopes = (scope: string): string[] => scope.split(' ').filter((name) => name !== '');

const shown = (client: Client) => ({
  redirect_uris: [...client.redirectUris],
  grant_types: [...client.grantTypes],
  response_types: responseTypesOf(client.grantTypes),
  token_endpoint_auth_method: client.tokenEndpointAuthMethod,
  application_type: client.applicationType,
  scope: client.ceiling.join(' '),
  jwks: client.jwks,
  jwks_uri: client.jwksUri,
  dpop_bound_access_tokens: client.dpopBoundAccessTokens,
  require_pushed_authorization_requests: client.requirePushedAuthorizationRequests,
  refresh_token_policy: client.refreshTokenPolicy,
  status: client.status,
  registration_source: client.registrationSource,
  agent: client.agent,
  agent_description: client.agentDescription,
  issued_at: client.createdAt.toISOString(),
});

const toView = (client: Client): z.output<typeof ClientView> => ({
  id: client.clientId,
  name: client.clientName,
  ...shown(client),
  secrets: client.secrets.map(({ id, createdAt, expiresAt, lastUsedAt }) => ({
    id,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString(),
    last_used_at: lastUsedAt?.toISOString(),
  })),
  cimd_url: client.cimdUrl,
  updated_at: client.updatedAt.toISOString(),
  first_user_id: client.firstUserId,
  last_used_at: client.lastUsedAt?.toISOString(),
});

const toCreatedView = (client: Client, secret: string | undefined): z.output<typeof CreatedClient> => ({
  client_id: client.clientId,
  client_secret: secret,
  client_name: client.clientName,
  ...shown(client),
});
