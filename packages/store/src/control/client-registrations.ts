import type { GrantType } from '@authserver/oauth';
import type { Queryable } from '../db.ts';
import { isText } from '../text.ts';
import { type Client, clients } from './clients.ts';

/** A self-registered client with what only its registrant is concerned with (RFC 7592). */
export type Registration = {
  client: Client;
  /** `undefined`: it is shared or older than RFC 7592 here, and nobody but the operator manages it. */
  tokenHash: Buffer | undefined;
  selfDescription: Record<string, string | string[]>;
};

/** What a client replaces of itself; the rest stays as it was registered, or as the operator has set it. */
export type ReplacedRegistration = {
  clientId: string;
  clientName: string;
  redirectUris: readonly string[];
  grantTypes: readonly GrantType[];
  responseTypes: readonly string[];
  applicationType: 'web' | 'native';
  agentDescription: string;
  jwks: Client['jwks'];
  jwksUri: string | undefined;
  dpopBoundAccessTokens: boolean;
  requirePushedAuthorizationRequests: boolean;
  selfDescription: Registration['selfDescription'];
  tokenHash: Buffer;
  fingerprint: Buffer | undefined;
  /** What people recognise it by is not what they consented to: they are asked again. */
  identityChanged: boolean;
};

/** The part of a client's row that belongs to its registration. */
export const clientRegistrations = (db: Queryable) => ({
  /** Completes a client that was just inserted. */
  async attach(
    clientId: string,
    registration: Omit<Registration, 'client'> & { fingerprint: Buffer | undefined },
    now: Date,
  ): Promise<void> {
    await db.query(
      'registration_attach',
      `update clients set registration_token_hash = $2, metadata_fingerprint = $3, self_description = $4,
              last_registered_at = $5
        where client_id = $1`,
      [
        clientId,
        registration.tokenHash ?? null,
        registration.fingerprint ?? null,
        JSON.stringify(registration.selfDescription),
        now,
      ],
    );
  },

  /** `lock` keeps two updates of one client apart until the transaction ends. */
  async find(clientId: string, options: { lock?: boolean } = {}): Promise<Registration | undefined> {
    if (!isText(clientId)) return undefined;
    const { rows } = await db.query<{ token_hash: Buffer | null; self_description: Registration['selfDescription'] }>(
      options.lock ? 'registration_lock' : 'registration_find',
      `select registration_token_hash as token_hash, self_description from clients
        where client_id = $1 and registration_source = 'dcr' ${options.lock ? 'for no key update' : ''}`,
      [clientId],
    );
    const client = rows[0] && (await clients(db).find(clientId));
    if (!rows[0] || !client) return undefined;
    return { client, tokenHash: rows[0].token_hash ?? undefined, selfDescription: rows[0].self_description };
  },

  async replace(changed: ReplacedRegistration, now: Date): Promise<void> {
    await db.query(
      'registration_replace',
      `update clients set client_name = $2, redirect_uris = $3, grant_types = $4, response_types = $5,
              application_type = $6, agent_description = $7, jwks = $8, jwks_uri = $9, dpop_bound_access_tokens = $10,
              require_pushed_authorization_requests = $11, self_description = $12, registration_token_hash = $13,
              metadata_fingerprint = $14, identity_changed_at = case when $15 then $16 else identity_changed_at end,
              version = version + 1, updated_at = now()
        where client_id = $1`,
      [
        changed.clientId,
        changed.clientName,
        changed.redirectUris,
        changed.grantTypes,
        changed.responseTypes,
        changed.applicationType,
        changed.agentDescription,
        changed.jwks ? JSON.stringify(changed.jwks) : null,
        changed.jwksUri ?? null,
        changed.dpopBoundAccessTokens,
        changed.requirePushedAuthorizationRequests,
        JSON.stringify(changed.selfDescription),
        changed.tokenHash,
        changed.fingerprint ?? null,
        changed.identityChanged,
        now,
      ],
    );
  },

  /** How many clients of this metadata wait for their first use; counts no further than `atMost`. */
  async countEqual(fingerprint: Buffer, atMost: number): Promise<number> {
    const { rows } = await db.query<{ n: string }>(
      'registration_count_equal',
      `select count(*) as n from (
         select 1 from clients
          where metadata_fingerprint = $1 and registration_source = 'dcr' and first_user_id is null limit $2) as equal`,
      [fingerprint, atMost],
    );
    return Number(rows[0]?.n);
  },

  /**
   * The shared client of this metadata, if there is an unused one that may be handed out. That it was wanted again keeps
   * it from expiring; written once an hour, however many come.
   */
  async handOutShared(fingerprint: Buffer, now: Date): Promise<Client | undefined> {
    const { rows } = await db.query<{ client_id: string }>(
      'registration_find_shared',
      `select client_id from clients
        where metadata_fingerprint = $1 and registration_source = 'dcr' and registration_token_hash is null
          and first_user_id is null and status = 'active'`,
      [fingerprint],
    );
    const clientId = rows[0]?.client_id;
    if (clientId === undefined) return undefined;
    await db.query(
      'registration_keep_shared',
      `update clients set last_registered_at = $2
        where client_id = $1 and coalesce(last_registered_at, created_at) < $2::timestamptz - interval '1 hour'`,
      [clientId, now],
    );
    return clients(db).find(clientId);
  },

  /** One that an operator suspended is shared no more; the next of its metadata makes room for itself with this. */
  async retireShared(fingerprint: Buffer): Promise<void> {
    await db.query(
      'registration_retire_shared',
      `update clients set metadata_fingerprint = null
        where metadata_fingerprint = $1 and registration_source = 'dcr' and registration_token_hash is null
          and first_user_id is null and status <> 'active'`,
      [fingerprint],
    );
  },
});
