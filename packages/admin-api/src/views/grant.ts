import { z } from 'zod';
import { Timestamp } from './fields.ts';

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

/** Revoked ones too, newest first. */
export const UserGrants = z
  .object({
    consent_grants: z.array(ConsentGrantView),
    broker_grants: z.array(z.never()).describe('Always empty: this release brokers nothing.'),
  })
  .meta({ id: 'UserGrants' });
