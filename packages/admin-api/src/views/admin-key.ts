import { z } from 'zod';
import { adminRoles } from '../entity.ts';
import { page, plainText, Timestamp } from './fields.ts';

const daySeconds = 86_400;

const AdminRoleName = z.enum(adminRoles);

const described = {
  label: plainText(255)
    .refine((label) => label.trim() !== '', 'must not be blank')
    .describe('Who or what has it: shown in lists and in the audit trail.'),
  role: AdminRoleName.describe('viewer looks, operator changes, owner also manages keys and other owners.'),
  expires_in: z
    .int()
    .min(60)
    .max(3660 * daySeconds)
    .nullable()
    .describe('Seconds from now until it ends; null: not before it is revoked.'),
};

export const CreateAdminKey = z
  .strictObject({ ...described, expires_in: described.expires_in.default(90 * daySeconds) })
  .meta({ id: 'CreateAdminKey' });

export const UpdateAdminKey = z.strictObject(described).partial().meta({ id: 'UpdateAdminKey' });

export const ListAdminKeys = z.strictObject(page({ default: 50, max: 1000 }));

const shown = {
  id: z.string(),
  label: z.string(),
  role: AdminRoleName,
  status: z.enum(['active', 'expired', 'revoked']),
  created_by: z.string().describe('`actor_id` of who made it.'),
  created_at: Timestamp,
  expires_at: Timestamp.optional().describe('Absent: not before it is revoked.'),
  last_used_at: Timestamp.optional().describe('To the minute; absent when it was never used.'),
  revoked_at: Timestamp.optional(),
};

/** A key as it is read: without the key. */
export const AdminKeyView = z.object(shown).meta({ id: 'AdminKey' });

export const CreatedAdminKey = z
  .object({ ...shown, key: z.string().describe('Shown this once; only its hash is kept.') })
  .meta({ id: 'CreatedAdminKey' });

const caller = {
  actor: z.string().describe('`actor_id` of what it does in the audit trail: `key:` and an id, or `admin`.'),
  role: AdminRoleName,
};

/** Whom the key of the request stands for. */
export const AdminIdentity = z
  .object({ ...caller, key: AdminKeyView.optional().describe('Absent for the configured key.') })
  .meta({ id: 'AdminIdentity' });

export const VerifiedAdmin = z
  .object({ valid: z.literal(true), version: z.string().describe('Of this server.'), ...caller })
  .meta({ id: 'VerifiedAdmin' });
