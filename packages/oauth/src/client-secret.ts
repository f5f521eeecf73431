import { createHmac, hash, randomBytes } from 'node:crypto';

/** A client id of our making: random, so nobody can choose one that equals a user's `sub` or another client's URL. */
export const newClientId = (): string => `client_${randomBytes(16).toString('base64url')}`;

/** 256 random bits in unreserved characters: HTTP Basic works whether or not a client form-encodes it. The prefix keeps it from looking like a flag. */
export const newClientSecret = (): string => `cs_${randomBytes(32).toString('base64url')}`;

/** How a client secret is kept. It is random, so a fast hash is enough; the pepper stays out of the database. */
export const hashClientSecret = (secret: string, pepper?: string): Buffer =>
  pepper ? createHmac('sha256', pepper).update(secret).digest() : hash('sha256', secret, 'buffer');
