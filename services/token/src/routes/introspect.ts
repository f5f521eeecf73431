import { invalidClient, invalidRequest } from '@authserver/oauth';
import type { Client, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { origin } from '../authorization/browser.ts';
import type { ClientAuthenticator } from '../clients/authenticate.ts';
import type { Lookups } from '../lookups.ts';
import { FormBody, readParams } from '../params.ts';
import { tokenHash } from '../secrets.ts';
import type { Clock } from '../time.ts';
import { numericDate } from '../tokens/claims.ts';
import type { OwnClaims, OwnTokenVerifier } from '../tokens/verify.ts';
import { onlyPost } from './methods.ts';

export type IntrospectRouteDeps = {
  clients: ClientAuthenticator;
  lookups: Lookups;
  store: Store;
  verify: OwnTokenVerifier;
  issuer: string;
  clock: Clock;
  metrics: Metrics;
};

/** RFC 7662 §2.2. An inactive token has no other member: nothing may be learned from it. */
export const IntrospectionResponse = z.object({
  active: z.boolean(),
  scope: z.string().optional(),
  client_id: z.string().optional(),
  sub: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  iss: z.string().optional(),
  exp: z.number().optional(),
  iat: z.number().optional(),
  nbf: z.number().optional(),
  jti: z.string().optional(),
  token_type: z.enum(['Bearer', 'refresh_token']).optional(),
});
type IntrospectionResponse = z.infer<typeof IntrospectionResponse>;

const inactive: IntrospectionResponse = { active: false };

/**
 * Introspection endpoint (RFC 7662): is this token good right now? Asked by confidential clients, and answered only to
 * the client the token was issued to and to those that act for its resource (`policy.runtime.client_ids`).
 */
export const introspectRoute: FastifyPluginAsyncZod<IntrospectRouteDeps> = async (app, deps) => {
  const { store, lookups, clock } = deps;
  onlyPost(app, '/oauth/introspect');

  app.post(
    '/oauth/introspect',
    { schema: { body: FormBody, response: { 200: IntrospectionResponse } } },
    async (request, reply) => {
      const params = readParams(request.body);
      const caller = await deps.clients.authenticate(request, params);
      if (caller.tokenEndpointAuthMethod === 'none') throw invalidClient('client_method_mismatch');
      if (params.token === undefined) throw invalidRequest('token is missing.');
      reply.header('cache-control', 'no-store').header('pragma', 'no-cache');

      const now = clock.now();
      const claims = await deps.verify(params.token, now);
      const response = claims ? await accessToken(claims, caller) : await refreshToken(params.token, caller, now);
      deps.metrics.introspections.inc({ active: response.active ? 'true' : 'false' });
      deps.metrics.introspectionDuration.observe(reply.elapsedTime / 1000);
      return response;

      async function accessToken(token: OwnClaims, asking: Client): Promise<IntrospectionResponse> {
        if (!(await mayAsk(asking, token))) {
          await store.auditEvents.insert({
            action: 'token.introspect_denied',
            at: now,
            clientId: asking.clientId,
            details: { reason: 'caller_not_authorized_for_token', jti: token.jti },
            ...origin(request),
          });
          return inactive;
        }
        if (!(await store.issuances.isLive(token.jti))) return inactive;
        const { iss, sub, aud, client_id, scope, jti, iat, nbf, exp } = token;
        return {
          active: true,
          ...(scope === undefined ? {} : { scope }),
          client_id,
          sub,
          aud: aud.length === 1 ? (aud[0] as string) : aud,
          iss,
          exp,
          iat,
          nbf,
          jti,
          token_type: 'Bearer',
        };
      }
    },
  );

  /** The issuing client, or a client that acts for the resource a token is meant for; the issuer itself is no resource. */
  const mayAsk = async (caller: Client, token: OwnClaims): Promise<boolean> => {
    if (caller.clientId === token.client_id) return true;
    const catalog = await lookups.resources();
    return token.aud
      .filter((audience) => audience !== deps.issuer)
      .some((audience) => catalog.find(audience)?.policy.runtime.client_ids.includes(caller.clientId));
  };

  /** A refresh token is nobody's business but its client's. */
  const refreshToken = async (token: string, caller: Client, now: Date): Promise<IntrospectionResponse> => {
    if (!/^[A-Za-z0-9_-]{43}$/.test(token)) return inactive;
    const held = await store.refreshTokens.find(tokenHash(token));
    const dead =
      !held ||
      held.clientId !== caller.clientId ||
      held.familyRevoked ||
      !held.userActive ||
      held.spentAt !== undefined ||
      held.expiresAt <= now ||
      held.familyExpiresAt <= now;
    if (dead) return inactive;
    return {
      active: true,
      scope: held.scopes.join(' '),
      client_id: held.clientId,
      sub: held.userId,
      iss: deps.issuer,
      iat: numericDate(held.issuedAt),
      exp: numericDate(held.expiresAt),
      token_type: 'refresh_token',
    };
  };
};
