import { JWKS_MAX_AGE_SECONDS, type Keyring } from '@authserver/keys';
import type { FastifyPluginAsync } from 'fastify';
import type { Clock } from '../time.ts';

/** The public signing keys (RFC 7517 §5). From memory: they must answer while everything else is down. */
export const jwksRoute: FastifyPluginAsync<{ keyring: Keyring; clock: Clock }> = async (app, { keyring, clock }) => {
  app.get('/.well-known/jwks.json', async (_request, reply) =>
    reply
      .header('cache-control', `public, max-age=${JWKS_MAX_AGE_SECONDS}`)
      .type('application/json')
      .send(JSON.stringify(keyring.jwks(clock.now()))),
  );
};
