import { leaveTogether } from '@authserver/http';
import type { FastifyReply } from 'fastify';

/** Sends a public JSON document, which caches may keep for so long (RFC 9111 §5.2.2.1). */
export const sendDocument = (reply: FastifyReply, json: string, maxAgeSeconds: number): FastifyReply => {
  leaveTogether(reply);
  return reply
    .header('cache-control', `public, max-age=${maxAgeSeconds}`)
    .type('application/json; charset=utf-8')
    .send(json);
};
