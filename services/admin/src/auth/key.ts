import { randomBytes } from 'node:crypto';
import type { AdminKey } from '@authserver/store';

/** 256 random bits in unreserved characters. The prefix lets people and scanners of code tell what they found. */
export const newAdminKey = (): string => `asak_${randomBytes(32).toString('base64url')}`;

/** Whether it could be one of ours: no other needs a look into the database. */
export const looksLikeAdminKey = (text: string): boolean => /^asak_[A-Za-z0-9_-]{43}$/.test(text);

export const adminKeyStatus = ({ revokedAt, expiresAt }: AdminKey, now: Date): 'active' | 'expired' | 'revoked' => {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'active';
};
