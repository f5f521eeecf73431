import { OAuthError } from '@authserver/oauth';
import type { FastifyInstance } from 'fastify';

/** Answers every other method with 405 and `Allow` (RFC 9110 §15.5.6), so that a mistaken GET is told what to do. */
export const onlyPost = (app: Pick<FastifyInstance, 'route'>, url: string): void => {
  app.route({
    method: ['GET', 'PUT', 'PATCH', 'DELETE'],
    url,
    handler: async () => {
      throw new OAuthError('method_not_allowed', 'Use POST.', 'invalid_request', {
        headers: { allow: 'POST, OPTIONS' },
      });
    },
  });
};
