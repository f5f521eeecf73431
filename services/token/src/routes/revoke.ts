import { invalidRequest } from '@authserver/oauth';
import type { Client, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyPluginAsync } from 'fastify';
import { origin } from '../authorization/browser.ts';
import type { ClientAuthenticator } from '../clients/authenticate.ts';
import { formOf, readParams } from '../params.ts';
import { tokenHash } from '../secrets.ts';
import type { Clock } from '../time.ts';
import { claimedIssueTime, type OwnTokenVerifier } from '../tokens/verify.ts';
import { onlyPost } from './methods.ts';

export type RevokeRouteDeps = {
  clients: ClientAuthenticator;
  store: Store;
  verify: OwnTokenVerifier;
  clock: Clock;
  metrics: Metrics;
};

/**
 * Revocation endpoint (RFC 7009). A refresh token ends its whole family, access tokens included; an access token ends
 * itself and what was exchanged from it. A token that is unknown, dead or somebody else's changes nothing and is
 * answered like a success (§2.2). A fault of ours is not: a client must not believe that a live token is dead.
 */
export const revokeRoute: FastifyPluginAsync<RevokeRouteDeps> = async (app, deps) => {
  const { store, metrics } = deps;
  onlyPost(app, '/oauth/revoke');

  app.post('/oauth/revoke', async (request, reply) => {
    const params = readParams(formOf(request));
    const client = await deps.clients.authenticate(request, params);
    if (params.token === undefined) throw invalidRequest('token is missing.');
    const now = deps.clock.now();
    const audit = (details: Record<string, unknown>) =>
      ({ action: 'token.revoked', at: now, clientId: client.clientId, details, ...origin(request) }) as const;

    // Judged as of its issue: a token that has expired may have descendants that have not.
    const claims = deps.verify(params.token, claimedIssueTime(params.token) ?? now);
    if (claims) await revokeAccessToken(claims.jti, claims.client_id, claims.sub);
    else await revokeRefreshToken(params.token, client);
    return reply.header('cache-control', 'no-store').code(200).send();

    async function revokeAccessToken(jti: string, owner: string, subject: string): Promise<void> {
      if (owner !== client.clientId) return;
      const revoked = await store.transaction(async (tx) => {
        const row = await tx.issuances.revoke(jti, now);
        if (row) {
          await tx.changes.record('revocation', `token:${jti}`);
          await tx.auditEvents.insert(audit({ jti }));
        }
        return row;
      });
      if (revoked) metrics.tokensRevoked.inc({ reason: subject === owner ? 'explicit_machine' : 'explicit' });
    }

    async function revokeRefreshToken(token: string, owner: Client): Promise<void> {
      const held = await store.refreshTokens.find(tokenHash(token));
      if (!held || held.clientId !== owner.clientId) return;
      const revoked = await store.transaction(async (tx) => {
        const ended = await tx.tokenFamilies.revoke(held.familyId, 'revoked', now);
        if (ended) {
          await tx.changes.record('revocation', `family:${held.familyId}`);
          await tx.auditEvents.insert(audit({ family: held.familyId }));
        }
        return ended;
      });
      if (revoked) metrics.tokensRevoked.inc({ reason: 'explicit' });
    }
  });
};
