import type { AuthMethod, GrantType } from '@authserver/oauth';
import type { Page, Paged, Queryable, Row } from '../db.ts';
import { mostCounted, mostFound, readPage } from '../listing.ts';
import { isText } from '../text.ts';
import { behindClient, type ClientFilter, matchClients, momentOf } from './client-filter.ts';

export type ClientStatus = 'active' | 'suspended' | 'revoked';
export type RegistrationSource = 'admin' | 'dcr' | 'cimd';

/**
 * When a user's client gets a refresh token: when it is registered for the grant; only when `offline_access` was asked
 * for as well; or always, registered or not.
 */
export type RefreshTokenPolicy = 'registered' | 'offline_access' | 'always';

export type ClientSecret = {
  id: string;
  hash: Buffer;
  createdAt: Date;
  /** No end unless a newer one replaces it. */
  expiresAt: Date | undefined;
  /** To about a minute. */
  lastUsedAt: Date | undefined;
};

export type Client = {
  clientId: string;
  clientName: string;
  redirectUris: readonly string[];
  grantTypes: readonly GrantType[];
  responseTypes: readonly string[];
  tokenEndpointAuthMethod: AuthMethod;
  applicationType: 'web' | 'native';
  /** Upper bound of the scopes this client may ever get; empty means no bound for what a user allowed, nothing for a machine as itself. */
  ceiling: readonly string[];
  status: ClientStatus;
  registrationSource: RegistrationSource;
  cimdUrl: string | undefined;
  agent: boolean;
  agentDescription: string;
  /** A JWK set (RFC 7517 §5): the client's public keys, when it registered them by value. */
  jwks: { keys: Record<string, unknown>[] } | undefined;
  jwksUri: string | undefined;
  /** Every token of this client must be bound to a key (RFC 9449 §5.2). */
  dpopBoundAccessTokens: boolean;
  /** Authorization requests of this client must be pushed (RFC 9126 §6). */
  requirePushedAuthorizationRequests: boolean;
  refreshTokenPolicy: RefreshTokenPolicy;
  /** Those that are valid now or until their `expiresAt`, and perhaps some that were. */
  secrets: readonly ClientSecret[];
  version: number;
  createdAt: Date;
  updatedAt: Date;
  /** Who consented to it first, for a client that registered itself. */
  firstUserId: string | undefined;
  /** When it last got a token or a consent, to the hour. */
  lastUsedAt: Date | undefined;
  /** When it changed what people recognise it by; a consent from before is asked for again. */
  identityChangedAt: Date | undefined;
};

/** What not every client has; absent when it is not asked for. */
type Demands = Pick<
  Client,
  'jwks' | 'jwksUri' | 'dpopBoundAccessTokens' | 'requirePushedAuthorizationRequests' | 'refreshTokenPolicy'
>;

/** What becomes of a client in time. */
type Experience = 'firstUserId' | 'lastUsedAt' | 'identityChangedAt';

export type NewClient = Omit<
  Client,
  'secrets' | 'version' | 'createdAt' | 'updatedAt' | 'status' | Experience | keyof Demands
> &
  Partial<Demands>;

const columns = `client_id, client_name, redirect_uris, grant_types, response_types, token_endpoint_auth_method,
  application_type, ceiling, status, registration_source, cimd_url, agent, agent_description, jwks, jwks_uri,
  dpop_bound_access_tokens, require_pushed_authorization_requests, refresh_token_policy, version, created_at,
  updated_at, first_user_id, last_used_at, identity_changed_at,
  (select coalesce(json_agg(json_build_object('id', id, 'hash', encode(secret_hash, 'hex'), 'created_at', created_at,
            'expires_at', expires_at, 'last_used_at', last_used_at) order by created_at), '[]')
     from client_secrets s where s.client_id = clients.client_id) as secrets`;

export const clients = (db: Queryable) => ({
  async find(clientId: string): Promise<Client | undefined> {
    if (!isText(clientId)) return undefined;
    const { rows } = await db.query('client_find', `select ${columns} from clients where client_id = $1`, [clientId]);
    return rows.map(toClient)[0];
  },

  /** Those of these that exist, in one read. */
  async findMany(clientIds: readonly string[]): Promise<Client[]> {
    const { rows } = await db.query('client_find_many', `select ${columns} from clients where client_id = any($1)`, [
      clientIds.filter(isText),
    ]);
    return rows.map(toClient);
  },

  /** Those an operator made, some at a time, in the order of their ids. */
  async pageOfOperators(after: string, limit: number): Promise<Client[]> {
    const { rows } = await db.query(
      'client_page_of_operators',
      `select ${columns} from clients where registration_source = 'admin' and client_id > $1
        order by client_id limit $2`,
      [after, limit],
    );
    return rows.map(toClient);
  },

  /** Active agents that an operator registered: what a client says of itself is not published in our name. */
  async listAgents(limit: number): Promise<Client[]> {
    const { rows } = await db.query(
      'client_list_agents',
      `select ${columns} from clients where registration_source = 'admin' and agent and status = 'active'
        order by client_id limit $1`,
      [limit],
    );
    return rows.map(toClient);
  },

  /** Newest last. */
  list: (filter: ClientFilter, page: Page): Promise<Paged<Client>> =>
    readPage(
      db,
      {
        operation: 'client_list',
        table: 'clients',
        columns: `${columns}, ${momentOf('created_at')} as moment`,
        filter: (matching) => matchClients(filter, matching),
        order: 'created_at, client_id',
        behind: behindClient,
        positionOf: ({ moment, client_id }) => `${moment} ${client_id}`,
        toItem: toClient,
        most: filter.text === undefined ? mostCounted : mostFound,
      },
      page,
    ),

  async insert(client: NewClient): Promise<Client> {
    const { rows } = await db.query(
      'client_insert',
      `insert into clients (client_id, client_name, redirect_uris, grant_types, response_types, token_endpoint_auth_method,
         application_type, ceiling, registration_source, cimd_url, agent, agent_description, jwks, jwks_uri,
         dpop_bound_access_tokens, require_pushed_authorization_requests, refresh_token_policy)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) returning ${columns}`,
      [
        client.clientId,
        client.clientName,
        client.redirectUris,
        client.grantTypes,
        client.responseTypes,
        client.tokenEndpointAuthMethod,
        client.applicationType,
        client.ceiling,
        client.registrationSource,
        client.cimdUrl ?? null,
        client.agent,
        client.agentDescription,
        client.jwks ? JSON.stringify(client.jwks) : null,
        client.jwksUri ?? null,
        client.dpopBoundAccessTokens ?? false,
        client.requirePushedAuthorizationRequests ?? false,
        client.refreshTokenPolicy ?? 'registered',
      ],
    );
    return toClient(rows[0] as Row);
  },

  /** `undefined` when the row is gone or its version moved on. */
  async update(client: Client): Promise<Client | undefined> {
    const { rows } = await db.query(
      'client_update',
      `update clients set client_name = $3, redirect_uris = $4, grant_types = $5, ceiling = $6,
              jwks = $7, jwks_uri = $8, dpop_bound_access_tokens = $9, require_pushed_authorization_requests = $10,
              refresh_token_policy = $11, version = version + 1, updated_at = now()
        where client_id = $1 and version = $2 returning ${columns}`,
      [
        client.clientId,
        client.version,
        client.clientName,
        client.redirectUris,
        client.grantTypes,
        client.ceiling,
        client.jwks ? JSON.stringify(client.jwks) : null,
        client.jwksUri ?? null,
        client.dpopBoundAccessTokens,
        client.requirePushedAuthorizationRequests,
        client.refreshTokenPolicy,
      ],
    );
    return rows.map(toClient)[0];
  },

  /** Moves a client along its states; `undefined` when it is in none of `from`. */
  async setStatus(clientId: string, from: readonly ClientStatus[], to: ClientStatus): Promise<Client | undefined> {
    const { rows } = await db.query(
      'client_set_status',
      `update clients set status = $3, version = version + 1, updated_at = now()
        where client_id = $1 and status = any($2) returning ${columns}`,
      [clientId, from, to],
    );
    return rows.map(toClient)[0];
  },

  async delete(clientId: string): Promise<boolean> {
    const { rowCount } = await db.query('client_delete', 'delete from clients where client_id = $1', [clientId]);
    return rowCount === 1;
  },

  /** The new secret is the only one from here on. */
  async replaceSecret(clientId: string, secretHash: Buffer): Promise<void> {
    await db.query(
      'client_replace_secret',
      `with gone as (delete from client_secrets where client_id = $1)
       insert into client_secrets (client_id, secret_hash) values ($1, $2)`,
      [clientId, secretHash],
    );
  },

  /** Live things a deletion would end: refresh families, and tokens that were issued to the client alone. */
  async countLive(clientId: string, now: Date): Promise<{ families: number; tokens: number }> {
    const { rows } = await db.query<{ families: string; tokens: string }>(
      'client_count_live',
      `select (select count(*) from token_families
                where client_id = $1 and revoked_at is null and expires_at > $2) as families,
              (select count(*) from issuances
                where client_id = $1 and family_id is null and revoked_at is null and expires_at > $2
                  and id >= uuidv7_floor($2::timestamptz - interval '31 days')) as tokens`,
      [clientId, now],
    );
    return { families: Number(rows[0]?.families), tokens: Number(rows[0]?.tokens) };
  },

  async count(): Promise<number> {
    const { rows } = await db.query('client_count', 'select count(*) as n from clients');
    return Number(rows[0]?.n);
  },

  async countActive(): Promise<number> {
    const { rows } = await db.query('client_count_active', `select count(*) as n from clients where status = 'active'`);
    return Number(rows[0]?.n);
  },
});

type SecretJson = {
  id: string;
  hash: string;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
};

const toClient = (row: Row): Client => ({
  clientId: row.client_id as string,
  clientName: row.client_name as string,
  redirectUris: row.redirect_uris as string[],
  grantTypes: row.grant_types as GrantType[],
  responseTypes: row.response_types as string[],
  tokenEndpointAuthMethod: row.token_endpoint_auth_method as AuthMethod,
  applicationType: row.application_type as 'web' | 'native',
  ceiling: row.ceiling as string[],
  status: row.status as ClientStatus,
  registrationSource: row.registration_source as RegistrationSource,
  cimdUrl: (row.cimd_url as string | null) ?? undefined,
  agent: row.agent as boolean,
  agentDescription: row.agent_description as string,
  jwks: (row.jwks as Client['jwks'] | null) ?? undefined,
  jwksUri: (row.jwks_uri as string | null) ?? undefined,
  dpopBoundAccessTokens: row.dpop_bound_access_tokens as boolean,
  requirePushedAuthorizationRequests: row.require_pushed_authorization_requests as boolean,
  refreshTokenPolicy: row.refresh_token_policy as RefreshTokenPolicy,
  secrets: (row.secrets as SecretJson[]).map((secret) => ({
    id: secret.id,
    hash: Buffer.from(secret.hash, 'hex'),
    createdAt: new Date(secret.created_at),
    expiresAt: secret.expires_at ? new Date(secret.expires_at) : undefined,
    lastUsedAt: secret.last_used_at ? new Date(secret.last_used_at) : undefined,
  })),
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
  firstUserId: (row.first_user_id as string | null) ?? undefined,
  lastUsedAt: (row.last_used_at as Date | null) ?? undefined,
  identityChangedAt: (row.identity_changed_at as Date | null) ?? undefined,
});
