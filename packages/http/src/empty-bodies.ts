import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';

/**
 * Requests that announce no body get none to read: Node makes and drains a stream for each otherwise, which costs a GET
 * more than its route.
 */
export const withoutEmptyBodies = { optimizeEmptyRequests: true };

/**
 * Such a stream has ended before anybody could listen. Who sends a type and no body (`curl -X POST -H 'Content-Type: …'`)
 * would wait for an answer until the read timeout; so what is read there is empty.
 */
export const readEmptyBodies = (app: Pick<FastifyInstance, 'addHook'>): void => {
  app.addHook('preParsing', ({ raw }, _reply, payload, done) => {
    const isMissing = raw.readableEnded && raw.headers['content-type'] !== undefined;
    done(null, isMissing ? Readable.from([]) : payload);
  });
};
