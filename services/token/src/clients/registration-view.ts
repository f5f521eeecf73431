import type { Client, Registration } from '@authserver/store';
import { z } from 'zod';
import { numericDate } from '../tokens/claims.ts';

/**
 * The client information response (RFC 7591 §3.2.1, RFC 7592 §3): everything that is registered, our defaults included, and
 * no member without a value. Other members are the client's own words, with a language tag perhaps: text and lists of it.
 */
export const ClientInformation = z
  .object({
    client_id: z.string(),
    client_id_issued_at: z.number(),
    client_secret: z.string().optional(),
    client_secret_expires_at: z.number().optional(),
    registration_access_token: z.string().optional(),
    registration_client_uri: z.string().optional(),
    redirect_uris: z.array(z.string()),
    client_name: z.string(),
    grant_types: z.array(z.string()),
    response_types: z.array(z.string()),
    token_endpoint_auth_method: z.string(),
    application_type: z.string(),
    scope: z.string().optional(),
    jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
    jwks_uri: z.string().optional(),
    dpop_bound_access_tokens: z.boolean(),
    require_pushed_authorization_requests: z.boolean(),
    agent: z.boolean(),
    agent_description: z.string().optional(),
  })
  .catchall(z.union([z.string(), z.array(z.string())]));
/** As zod has it, where the catchall seems to speak of the known members too. */
type ClientInformation = z.infer<typeof ClientInformation>;

/** What is shown besides the record, because the client has it or just got it; we keep hashes alone. */
export type Shown = { secret?: string | undefined; registrationToken?: string | undefined };

export const toClientInformation = (
  client: Client,
  selfDescription: Registration['selfDescription'],
  shown: Shown,
  issuer: string,
): ClientInformation =>
  ({
    ...selfDescription,
    client_id: client.clientId,
    client_id_issued_at: numericDate(client.createdAt),
    ...(shown.secret === undefined ? {} : { client_secret: shown.secret, client_secret_expires_at: 0 }),
    ...(shown.registrationToken === undefined
      ? {}
      : {
          registration_access_token: shown.registrationToken,
          registration_client_uri: `${issuer}/oauth/register/${client.clientId}`,
        }),
    redirect_uris: [...client.redirectUris],
    client_name: client.clientName,
    grant_types: [...client.grantTypes],
    response_types: [...client.responseTypes],
    token_endpoint_auth_method: client.tokenEndpointAuthMethod,
    application_type: client.applicationType,
    ...(client.ceiling.length > 0 ? { scope: client.ceiling.join(' ') } : {}),
    ...(client.jwks ? { jwks: client.jwks } : {}),
    ...(client.jwksUri ? { jwks_uri: client.jwksUri } : {}),
    dpop_bound_access_tokens: client.dpopBoundAccessTokens,
    require_pushed_authorization_requests: client.requirePushedAuthorizationRequests,
    agent: client.agent,
    ...(client.agentDescription ? { agent_description: client.agentDescription } : {}),
  }) as unknown as ClientInformation;
