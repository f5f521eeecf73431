import { createHash, timingSafeEqual } from 'node:crypto';
import { Problem } from '@authserver/http';
import type { FastifyRequest } from 'fastify';

const challenge = { 'www-authenticate': 'Bearer realm="admin"' };

/**
 * The check every admin route sits behind: `Authorization: Bearer <key>` (RFC 6750 §2.1). Digests are compared, so neither
 * the time nor the length of the key shows.
 *
 * @throws {Problem} `unauthorized`
 */
export const requireApiKey = (apiKey: string | undefined) => {
  const expected = apiKey ? digest(apiKey) : undefined;
  return async (request: FastifyRequest): Promise<void> => {
    if (!expected) throw unauthorized('No admin API key is configured.');
    const given = /^bearer +(.+?) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) throw unauthorized('The admin API key is missing.');
    if (!timingSafeEqual(digest(given), expected)) throw unauthorized('The admin API key is wrong.');
  };
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const unauthorized = (detail: string): Problem => new Problem('unauthorized', detail, { headers: challenge });
