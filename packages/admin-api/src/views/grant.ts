import { z } from 'zod';
import { page, Timestamp } from './fields.ts';

export const ConsentGrantView = z
  .object({
    id: z.string(),
    user_id: z.string(),
    client_id: z.string(),
    resource_id: z.string().optional().describe('Absent: the authorization server itself.'),
    scopes: z.array(z.string()),
    created_at: Timestamp,
    updated_at: Timestamp,
    revoked_at: Timestamp.optional(),
  })
  .meta({ id: 'ConsentGrant' });

/** An account a user connected at an upstream provider. The credential is never shown. */
export const BrokerGrantView = z
  .object({
    id: z.string(),
    user_id: z.string(),
    broker_provider_id: z.string(),
    scopes_granted: z.array(z.string()).describe('In the words of the provider.'),
    version: z.int().describe('Moves on with every connection and every refresh of the credential.'),
    enc_backend: z.string().describe('What encrypts the credential.'),
    created_at: Timestamp,
    updated_at: Timestamp,
    revoked_at: Timestamp.optional(),
  })
  .meta({ id: 'BrokerGrant' });

export const ListUserGrants = z.strictObject(page({ default: 500, max: 1000 }));

/** Revoked ones too, newest first. Pages are of consent grants; the first one has all broker grants, and others have none. */
export const UserGrants = z
  .object({ consent_grants: z.array(ConsentGrantView), broker_grants: z.array(BrokerGrantView) })
  .meta({ id: 'UserGrants' });
