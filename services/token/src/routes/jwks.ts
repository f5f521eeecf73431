import { JWKS_MAX_AGE_SECONDS, type Keyring, type PublicJwk } from '@authserver/keys';
import type { FastifyPluginAsync } from 'fastify';
import type { Clock } from '../time.ts';
import { oncePer } from './once-per.ts';

/** The public signing keys (RFC 7517 §5). From memory: they must answer while everything else is down. */
export const jwksRoute: FastifyPluginAsync<{ keyring: Keyring; clock: Clock }> = async (app, { keyring, clock }) => {
  const write = oncePer((...keys: PublicJwk[]) => JSON.stringify({ keys }));
  const headers = {
    'cache-control': `public, max-age=${JWKS_MAX_AGE_SECONDS}`,
    'content-type': 'application/json; charset=utf-8',
  };
  app.get('/.well-known/jwks.json', (_request, reply) => {
    reply.headers(headers).send(write(...keyring.jwks(clock.now()).keys));
  });
};
