import type { Queryable } from '../db.ts';
import type { NewClient } from './clients.ts';

/** Rows of clients that are known by a metadata document. */
export const clientDocuments = (db: Queryable) => ({
  /**
   * Writes what a metadata document says over the row it made, or makes the row. What an operator decides (status,
   * ceiling) is never touched. `identityChanged` makes earlier consents be asked for again.
   */
  async keep(client: NewClient, identityChanged: boolean, now: Date): Promise<'inserted' | 'updated' | 'refused'> {
    const { rows } = await db.query<{ inserted: boolean }>(
      'client_keep_document',
      `insert into clients as held (client_id, client_name, redirect_uris, grant_types, response_types,
         token_endpoint_auth_method, application_type, ceiling, registration_source, cimd_url, agent, agent_description,
         jwks, jwks_uri, dpop_bound_access_tokens, require_pushed_authorization_requests, refresh_token_policy)
       values ($1, $2, $3, $4, $5, $6, $7, $8, 'cimd', $1, $9, $10, $11, $12, $13, $14, $15)
       on conflict (client_id) do update
          set client_name = $2, redirect_uris = $3, grant_types = $4, response_types = $5,
              token_endpoint_auth_method = $6, application_type = $7, agent = $9, agent_description = $10,
              jwks = $11, jwks_uri = $12, dpop_bound_access_tokens = $13,
              require_pushed_authorization_requests = $14,
              identity_changed_at = case when $16 then $17 else held.identity_changed_at end,
              version = held.version + 1, updated_at = $17
        where held.registration_source = 'cimd'
       returning (xmax = 0) as inserted`,
      [
        client.clientId,
        client.clientName,
        client.redirectUris,
        client.grantTypes,
        client.responseTypes,
        client.tokenEndpointAuthMethod,
        client.applicationType,
        client.ceiling,
        client.agent,
        client.agentDescription,
        client.jwks ? JSON.stringify(client.jwks) : null,
        client.jwksUri ?? null,
        client.dpopBoundAccessTokens ?? false,
        client.requirePushedAuthorizationRequests ?? false,
        client.refreshTokenPolicy ?? 'registered',
        identityChanged,
        now,
      ],
    );
    return rows[0] ? (rows[0].inserted ? 'inserted' : 'updated') : 'refused';
  },
});
