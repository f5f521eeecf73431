import { type GrantType, OAuthError, temporarilyUnavailable } from '@authserver/oauth';
import { StoreUnavailable } from '@authserver/store';
import { inSpan, type Metrics } from '@authserver/telemetry';
import type { FastifyPluginAsync } from 'fastify';
import type { ClientAuthenticator } from '../clients/authenticate.ts';
import type { ClientUse } from '../clients/client-use.ts';
import type { Proofs } from '../dpop/proof.ts';
import type { ProofRequirement } from '../dpop/requirement.ts';
import type { Grant, GrantContext } from '../grants/grant.ts';
import { selectGrant } from '../grants/select.ts';
import { formOf, type Params, readParams } from '../params.ts';
import { resourceIdsOf } from '../targets.ts';
import type { Clock } from '../time.ts';
import { type Authorization, Outdated } from '../tokens/authorization.ts';
import type { TokenIssuer, TokenResponse } from '../tokens/issuer.ts';
import { noteAttempt } from '../trace/facts.ts';
import { onlyPost } from './methods.ts';

export type TokenRouteDeps = {
  clients: ClientAuthenticator;
  clientUse: ClientUse;
  proofs: Proofs;
  proofRequirement: ProofRequirement;
  grants: readonly Grant[];
  tokenIssuer: TokenIssuer;
  clock: Clock;
  metrics: Metrics;
};

/** What was remembered may be outdated, then what was read; whoever meets a third change had better come again. */
const mostJudgements = 3;
const tokenExchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** Token endpoint (RFC 6749 §3.2): who asks, with which key, for what, and then what they get. */
export const tokenRoute: FastifyPluginAsync<TokenRouteDeps> = async (app, deps) => {
  onlyPost(app, '/oauth/token');

  app.post('/oauth/token', async (request, reply) => {
    const params = readParams(formOf(request));
    try {
      const now = deps.clock.now();
      deps.proofs.offerNonce(request, reply, now);
      // The proof first: a client assertion is used up when the client is authenticated, and `use_dpop_nonce` is free.
      const proof = await deps.proofs.verify(request, '/oauth/token', now);
      const client = await deps.clients.authenticate(request, params);
      deps.proofRequirement.ofClient(client, proof);
      const grant = selectGrant(deps.grants, params.grant_type, client);
      const response = await giveTokens(grant, params, { client, proof, now });
      deps.clientUse.note(client, now);
      noteAttempt(request, { clientId: client.clientId });
      deps.metrics.issuanceDuration.observe({ grant_type: grant.type }, reply.elapsedTime / 1000);
      reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
      return response;
    } catch (error) {
      deps.clients.notePresented(request, params);
      countDenial(error, params.grant_type);
      throw error;
    }
  });

  /** Judges and gives; once more where the world has moved on meanwhile. */
  const giveTokens = async (grant: Grant, params: Params, context: GrantContext): Promise<TokenResponse> => {
    for (let judged = 1; ; judged += 1) {
      const authorization = await inSpan(`grant ${grant.type}`, () => grant.authorize(params, context), {
        attributes: { client_id: context.client.clientId },
      });
      try {
        await deps.proofRequirement.ofResources(resourceIdsOf(authorization), context.proof);
        return await deps.tokenIssuer.issue(authorization, context.proof, context.now);
      } catch (error) {
        if (!isOutdated(error, authorization)) throw error;
        if (judged === mostJudgements) throw temporarilyUnavailable(error);
      }
    }
  };

  const countDenial = (error: unknown, grantType: string | undefined): void => {
    if (!(error instanceof OAuthError) || !error.reason) return;
    if (grantType === 'client_credentials') deps.metrics.clientCredentialsDenied.inc({ reason: error.reason });
    if (grantType === tokenExchange) deps.metrics.tokenExchangesDenied.inc({ reason: error.reason });
  };
};

/**
 * Whether to judge again. A refusal of what was only remembered is one of them: that the token was stolen, say, is known to the
 * database alone. Not where the database did not answer: it may have spent the token, and a second look would take it for stolen.
 */
const isOutdated = (error: unknown, { isRemembered }: Authorization): boolean =>
  error instanceof Outdated || (isRemembered === true && !(error instanceof StoreUnavailable));
