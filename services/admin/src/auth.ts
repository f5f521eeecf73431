import { createHash, timingSafeEqual } from 'node:crypto';
import type { AdminRole } from '@authserver/admin-api';
import { Problem } from '@authserver/http';
import type { FastifyRequest } from 'fastify';

const challenge = { 'www-authenticate': 'Bearer realm="admin"' };

/** Whom a key stands for. */
export type Identity = { actorId: string; role: AdminRole };

const identities = new WeakMap<FastifyRequest, Identity>();

/** Who sent a request that got past the check. */
export const identityOf = (request: FastifyRequest): Identity => {
  const identity = identities.get(request);
  if (!identity) throw new Error('a route outside the check asks who is calling');
  return identity;
};

/**
 * The check every admin route sits behind: `Authorization: Bearer <key>` (RFC 6750 §2.1). Digests are compared, so neither
 * the time nor the length of the key shows. The configured key is that of the owner.
 *
 * @throws {Problem} `unauthorized`
 */
export const requireApiKey = (apiKey: string | undefined, actorId: string) => {
  const expected = apiKey ? digest(apiKey) : undefined;
  return async (request: FastifyRequest): Promise<void> => {
    if (!expected) throw unauthorized('No admin API key is configured.');
    const given = /^bearer +(.+?) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) throw unauthorized('The admin API key is missing.');
    if (!timingSafeEqual(digest(given), expected)) throw unauthorized('The admin API key is wrong.');
    identities.set(request, { actorId, role: 'owner' });
  };
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const unauthorized = (detail: string): Problem => new Problem('unauthorized', detail, { headers: challenge });
