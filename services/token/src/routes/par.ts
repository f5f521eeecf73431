import type { FormParams } from '@authserver/http';
import { invalidRequest } from '@authserver/oauth';
import type { FastifyPluginAsync } from 'fastify';
import type { PushedRequests } from '../authorization/pushed.ts';
import { type RequestDeps, readAuthorizationRequest } from '../authorization/request.ts';
import type { ClientAuthenticator } from '../clients/authenticate.ts';
import { agreedKey } from '../dpop/binding.ts';
import type { Proofs } from '../dpop/proof.ts';
import type { Limits } from '../limits/limits.ts';
import { formOf, readParams } from '../params.ts';
import type { Clock } from '../time.ts';
import { onlyPost } from './methods.ts';

export type ParRouteDeps = RequestDeps & {
  clients: ClientAuthenticator;
  proofs: Proofs;
  limits: Pick<Limits, 'pushedRequest'>;
  pushed: PushedRequests;
  clock: Clock;
};

/** What is kept of a request is what a browser may come back with; larger is 413 (RFC 9126 §2.3). */
const longestBody = 16 * 1024;

/**
 * Pushed authorization request endpoint (RFC 9126): a client sends its request here and the browser only carries a
 * reference to it, so nobody on the way can read or change it. Kept after every check the authorization endpoint makes.
 */
export const parRoute: FastifyPluginAsync<ParRouteDeps> = async (app, deps) => {
  onlyPost(app, '/oauth/par');

  app.post('/oauth/par', { bodyLimit: longestBody }, async (request, reply) => {
    const form = formOf(request);
    const params = readParams(form);
    deps.clients.notePresented(request, params);
    const now = deps.clock.now();
    deps.proofs.offerNonce(request, reply, now);
    const proof = await deps.proofs.verify(request, '/oauth/par', now); // first, as at the token endpoint
    const client = await deps.clients.authenticate(request, params);
    if (client.tokenEndpointAuthMethod === 'none') await deps.limits.pushedRequest(request);
    if (params.request_uri !== undefined)
      throw invalidRequest('request_uri cannot be pushed (RFC 9126, section 2.1).', 'request_object');
    const key = agreedKey(params.dpop_jkt, proof);

    const { requestUri, asked } = deps.pushed.name(withoutCredentials(form, client.clientId, key), now);
    await readAuthorizationRequest(asked, deps);
    await proof?.claim();
    const { expiresIn } = await deps.pushed.keep(client, asked);
    return reply
      .code(201)
      .header('cache-control', 'no-store')
      .header('pragma', 'no-cache')
      .send({ request_uri: requestUri, expires_in: expiresIn });
  });
};

/** The request as the authorization endpoint would have got it: who asks was proven here and is now part of it. */
const withoutCredentials = (body: FormParams, clientId: string, dpopJkt: string | undefined): FormParams => {
  const { client_secret: _, client_assertion: __, client_assertion_type: ___, ...kept } = body;
  return { ...kept, client_id: clientId, ...(dpopJkt === undefined ? {} : { dpop_jkt: dpopJkt }) };
};
