import { addressKey, asksFor } from '@authserver/http';
import { invalidClient, invalidRequest } from '@authserver/oauth';
import type { Client, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyPluginAsync } from 'fastify';
import type { AuditRepeats } from '../audit/repeats.ts';
import { origin } from '../authorization/browser.ts';
import type { ClientAuthenticator } from '../clients/authenticate.ts';
import type { Lookups } from '../lookups.ts';
import { formOf, readParams } from '../params.ts';
import { tokenHash } from '../secrets.ts';
import type { Clock } from '../time.ts';
import { numericDate } from '../tokens/claims.ts';
import {
  describeAccessToken,
  describeRefreshToken,
  type IntrospectionResponse,
  inactive,
} from '../tokens/introspection.ts';
import type { SignJwt } from '../tokens/sign.ts';
import type { OwnClaims, OwnTokenVerifier } from '../tokens/verify.ts';
import { onlyPost } from './methods.ts';

export type IntrospectRouteDeps = {
  clients: ClientAuthenticator;
  lookups: Lookups;
  store: Store;
  repeats: AuditRepeats;
  verify: OwnTokenVerifier;
  signJwt: SignJwt;
  issuer: string;
  clock: Clock;
  metrics: Metrics;
};

/** RFC 9701 §4: the same answer, signed. */
const signedType = 'token-introspection+jwt';

/**
 * Introspection endpoint (RFC 7662): is this token good right now? Asked by confidential clients, and answered only to
 * the client the token was issued to and to those that act for its resource (`policy.runtime.client_ids`). A caller that
 * accepts `application/token-introspection+jwt` gets the answer signed (RFC 9701); it is not encrypted.
 *
 * What is not ours by its shape is refused before the database hears of it. That is quicker to answer than a token that
 * is somebody else's, and tells nothing: whether a token is ours can be read off its signature by everybody.
 */
export const introspectRoute: FastifyPluginAsync<IntrospectRouteDeps> = async (app, deps) => {
  const { store, lookups, clock, metrics } = deps;
  onlyPost(app, '/oauth/introspect');

  app.post('/oauth/introspect', async (request, reply) => {
    const params = readParams(formOf(request));
    const caller = await deps.clients.authenticate(request, params);
    if (caller.tokenEndpointAuthMethod === 'none') throw invalidClient('client_method_mismatch');
    if (params.token === undefined) throw invalidRequest('token is missing.');
    reply.header('cache-control', 'no-store').header('pragma', 'no-cache');

    const now = clock.now();
    const claims = deps.verify(params.token, now);
    const response = claims ? await accessToken(claims, caller) : await refreshToken(params.token, caller, now);
    metrics.introspections.inc({ active: response.active ? 'true' : 'false' });
    metrics.introspectionDuration.observe(reply.elapsedTime / 1000);
    reply.header('vary', 'accept');
    if (!asksFor(request.headers.accept, `application/${signedType}`, 'application/json')) return response;
    return reply.type(`application/${signedType}`).send(await signed(response, caller, now));

    async function accessToken(token: OwnClaims, asking: Client): Promise<IntrospectionResponse> {
      if (!(await mayAsk(asking, token))) return denied('caller_not_authorized_for_token', token, asking);
      if (!(await store.issuances.isLive(token.jti))) return denied('token_revoked', token, asking);
      return describeAccessToken(token);
    }

    /**
     * A good signature under a refused question is worth a trace: somebody holds a token they should not use. Whoever
     * registers a client can ask for ever, so the trail has the first question about a token and counts the rest.
     */
    async function denied(reason: string, { jti }: OwnClaims, asking: Client): Promise<IntrospectionResponse> {
      await deps.repeats.record(
        {
          action: 'token.introspect_denied',
          at: now,
          clientId: asking.clientId,
          details: { reason, jti },
          ...origin(request),
        },
        { group: addressKey(request.ip), member: `${asking.clientId} ${jti}` },
      );
      return inactive;
    }
  });

  /** The issuing client, or a client that acts for a resource the token is meant for; the issuer itself is no resource. */
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
    const live =
      held?.clientId === caller.clientId &&
      held.spentAt === undefined &&
      held.expiresAt > now &&
      held.familyExpiresAt > now &&
      held.userActive &&
      held.clientActive &&
      !held.familyRevoked;
    return live ? describeRefreshToken(held, deps.issuer) : inactive;
  };

  /** RFC 9701 §5. `aud` is the caller, and no `sub` or `exp` stands outside, so that nobody takes it for an access token. */
  const signed = async (response: IntrospectionResponse, caller: Client, now: Date): Promise<string> =>
    deps.signJwt(
      JSON.stringify({
        iss: deps.issuer,
        aud: caller.clientId,
        iat: numericDate(now),
        token_introspection: response,
      }),
      signedType,
    );
};
