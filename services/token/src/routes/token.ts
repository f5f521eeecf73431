import { isGrantType, OAuthError } from '@authserver/oauth';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { ClientAuthenticator } from '../clients/authenticate.ts';
import type { Grant } from '../grants/grant.ts';
import { selectGrant } from '../grants/select.ts';
import { FormBody, readParams } from '../params.ts';
import type { Clock } from '../time.ts';
import { type TokenIssuer, TokenResponse } from '../tokens/issuer.ts';
import { onlyPost } from './methods.ts';

export type TokenRouteDeps = {
  clients: ClientAuthenticator;
  grants: readonly Grant[];
  tokenIssuer: TokenIssuer;
  clock: Clock;
  metrics: Metrics;
};

/** Token endpoint (RFC 6749 §3.2): who asks, for what, and then what they get. */
export const tokenRoute: FastifyPluginAsyncZod<TokenRouteDeps> = async (app, deps) => {
  const schema = { body: FormBody, response: { 200: TokenResponse } };
  onlyPost(app, '/oauth/token');

  app.post('/oauth/token', { schema }, async (request, reply) => {
    const params = readParams(request.body);
    try {
      const client = await deps.clients.authenticate(request, params);
      const grant = selectGrant(deps.grants, params.grant_type, client);
      const now = deps.clock.now();
      const authorization = await grant.authorize(params, { client, now });
      const response = await deps.tokenIssuer.issue(authorization, now);
      deps.metrics.issuanceDuration.observe({ grant_type: authorization.grantType }, reply.elapsedTime / 1000);
      reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
      return response;
    } catch (error) {
      countDenial(error, params.grant_type);
      throw error;
    }
  });

  const countDenial = (error: unknown, grantType: string | undefined): void => {
    if (!(error instanceof OAuthError) || !error.reason) return;
    if (grantType !== undefined && isGrantType(grantType) && grantType === 'client_credentials')
      deps.metrics.clientCredentialsDenied.inc({ reason: error.reason });
  };
};
