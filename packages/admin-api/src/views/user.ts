import { z } from 'zod';
import { page, plainText, SearchText, Timestamp } from './fields.ts';

/** Addresses are compared without regard to case. Whether one can receive mail is not ours to know. */
const Email = z
  .string()
  .trim()
  .max(254)
  .regex(/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u, 'must be an e-mail address')
  .refine((email) => email.isWellFormed(), 'must be an e-mail address')
  .describe('Address the user signs in with.');

const Password = z.string().min(8).max(1024).describe('At least 8 characters; stored as argon2id.');

export const UserRole = z.enum(['admin', 'user']);
export const UserStatus = z.enum(['active', 'disabled']);

export const CreateUser = z
  .strictObject({
    email: Email,
    password: Password,
    name: plainText(255).default('').describe('Display name.'),
    role: UserRole.default('user'),
  })
  .meta({ id: 'CreateUser' });

export const UpdateUser = z
  .strictObject({
    email: Email,
    name: plainText(255).describe('Display name.'),
    password: Password.describe('A new password; ends all sessions and tokens of the user.'),
  })
  .partial()
  .meta({ id: 'UpdateUser' });

export const ListUsers = z.strictObject({
  email: plainText(254).optional().describe('Only the user with this address.'),
  q: SearchText.optional().describe('Part of the address or the name, in any case of letters.'),
  status: UserStatus.optional(),
  role: UserRole.optional(),
  provider: plainText(256).min(1).optional().describe('Where the account lives; local has a password here.'),
  ...page({ default: 1000, max: 10_000 }),
});

export const UserView = z
  .object({
    id: z.string(),
    email: z.string().nullable(),
    name: z.string(),
    role: UserRole,
    status: UserStatus,
    provider: z
      .string()
      .describe('Where the account lives: `local` has a password here, `oidc` is somebody at the OpenID provider.'),
    provider_issuer: z.string().nullable().describe('Issuer of the OpenID provider; null for a local account.'),
    provider_sub: z.string().nullable().describe('Subject there. With the issuer it names the account.'),
    created_at: Timestamp,
  })
  .meta({ id: 'User' });

export const UserState = z.object({ status: UserStatus }).meta({ id: 'UserState' });

export const ForcedLogout = z
  .object({ user_id: z.string(), tokens_revoked: z.int().describe('Refresh token families that ended.') })
  .meta({ id: 'ForcedLogout' });
