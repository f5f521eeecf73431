import type { Config } from '@authserver/config';
import {
  ClientMetadata,
  type GrantType,
  hashClientSecret,
  machineGrantTypes,
  metadataProblems,
  newClientId,
  newClientSecret,
  OAuthError,
} from '@authserver/oauth';
import type { Client, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { origin } from '../authorization/browser.ts';
import { checkRegistrationPolicy } from '../clients/registration-policy.ts';
import type { Lookups } from '../lookups.ts';
import type { Clock } from '../time.ts';
import { numericDate } from '../tokens/claims.ts';
import { onlyPost } from './methods.ts';

export type RegisterRouteDeps = {
  store: Store;
  lookups: Lookups;
  config: Config;
  enabledGrants: readonly GrantType[];
  clock: Clock;
  metrics: Metrics;
};

/** RFC 7591 §3.2.1: everything that was registered, our defaults included, and no member without a value. */
export const RegistrationResponse = z.object({
  client_id: z.string(),
  client_id_issued_at: z.number(),
  client_secret: z.string().optional(),
  client_secret_expires_at: z.number().optional(),
  redirect_uris: z.array(z.string()),
  client_name: z.string(),
  grant_types: z.array(z.string()),
  response_types: z.array(z.string()),
  token_endpoint_auth_method: z.string(),
  application_type: z.string(),
  scope: z.string().optional(),
  agent: z.boolean(),
  agent_description: z.string().optional(),
});

/** Dynamic client registration (RFC 7591 §3), as far as the registration mode allows. */
export const registerRoute: FastifyPluginAsyncZod<RegisterRouteDeps> = async (app, deps) => {
  const { store, config } = deps;
  onlyPost(app, '/oauth/register');

  app.post(
    '/oauth/register',
    { schema: { body: z.unknown(), response: { 201: RegistrationResponse } } },
    async (request, reply) => {
      const mode = await deps.lookups.dcrMode();
      if (mode === 'admin_only')
        throw new OAuthError(
          'access_denied',
          'Clients are registered by an administrator here.',
          'registration_closed',
        );
      const metadata = readMetadata(request.body, deps.enabledGrants);
      checkRegistrationPolicy(mode, metadata.redirect_uris, config.dcr.approved_redirects);

      const secret = metadata.token_endpoint_auth_method === 'none' ? undefined : newClientSecret();
      const now = deps.clock.now();
      const client = await store.transaction(async (tx) => {
        const inserted = await tx.clients.insert(toClient(metadata, config.oauth.default_client_scope));
        if (secret)
          await tx.clients.replaceSecret(inserted.clientId, hashClientSecret(secret, config.client_secret_pepper));
        await tx.auditEvents.insert({
          action: 'client.registered',
          at: now,
          clientId: inserted.clientId,
          details: { source: 'dcr', name: inserted.clientName },
          ...origin(request),
        });
        return inserted;
      });
      deps.metrics.clientsRegistered.inc({ source: 'dcr' });
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .header('pragma', 'no-cache')
        .send(toView(client, secret));
    },
  );
};

/** @throws {OAuthError} `invalid_redirect_uri` or `invalid_client_metadata` (RFC 7591 §3.2.2), naming every problem */
const readMetadata = (body: unknown, enabledGrants: readonly GrantType[]): ClientMetadata => {
  const parsed = ClientMetadata.safeParse(body);
  const problems = parsed.success
    ? [
        ...metadataProblems(parsed.data),
        ...parsed.data.grant_types
          .filter((type) => !enabledGrants.includes(type))
          .map((type) => ({ member: 'grant_types', message: `grant type ${type} is not enabled` })),
      ]
    : parsed.error.issues.map((issue) => ({
        member: String(issue.path[0] ?? ''),
        message: issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : 'expected a JSON object',
      }));
  if (parsed.success && problems.length === 0) return parsed.data;
  const code = problems.every(({ member }) => member === 'redirect_uris')
    ? 'invalid_redirect_uri'
    : 'invalid_client_metadata';
  throw new OAuthError(
    code,
    problems
      .map(({ message }) => message)
      .join('; ')
      .slice(0, 1000),
    'invalid_client_metadata',
  );
};

const toClient = (metadata: ClientMetadata, ceiling: string | undefined) => ({
  clientId: newClientId(),
  clientName: metadata.client_name ?? 'Unnamed client',
  redirectUris: metadata.redirect_uris,
  grantTypes: metadata.grant_types,
  responseTypes: metadata.response_types ?? (metadata.grant_types.includes('authorization_code') ? ['code'] : []),
  tokenEndpointAuthMethod: metadata.token_endpoint_auth_method,
  applicationType: metadata.application_type,
  ceiling: isMachine(metadata) ? [] : (ceiling ?? '').split(' ').filter((scope) => scope !== ''),
  registrationSource: 'dcr' as const,
  cimdUrl: undefined,
  agent: metadata.agent,
  agentDescription: metadata.agent_description,
});

/**
 * A client that may act as itself gets no ceiling of ours, and without one a machine grant gives nothing: whoever may
 * register must not come by a token that no person agreed to.
 */
const isMachine = (metadata: ClientMetadata): boolean =>
  metadata.grant_types.some((type) => machineGrantTypes.includes(type));

const toView = (client: Client, secret: string | undefined): z.infer<typeof RegistrationResponse> => ({
  client_id: client.clientId,
  client_id_issued_at: numericDate(client.createdAt),
  ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
  redirect_uris: [...client.redirectUris],
  client_name: client.clientName,
  grant_types: [...client.grantTypes],
  response_types: [...client.responseTypes],
  token_endpoint_auth_method: client.tokenEndpointAuthMethod,
  application_type: client.applicationType,
  ...(client.ceiling.length > 0 ? { scope: client.ceiling.join(' ') } : {}),
  agent: client.agent,
  ...(client.agentDescription ? { agent_description: client.agentDescription } : {}),
});
