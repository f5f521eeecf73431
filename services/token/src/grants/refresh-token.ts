import type { Config } from '@authserver/config';
import { includesAll, invalidClient, invalidGrant, invalidScope, parseScope } from '@authserver/oauth';
import type { HeldRefreshToken, Issuance, Store } from '@authserver/store';
import { z } from 'zod';
import { refreshKey, requireKey } from '../dpop/binding.ts';
import type { Proof } from '../dpop/proof.ts';
import type { Lookups } from '../lookups.ts';
import { grantableScopes } from '../scopes.ts';
import { type Secrets, tokenHash } from '../secrets.ts';
import { authorizedFor, namedTargets } from '../targets.ts';
import { after, earlier } from '../time.ts';
import type { Replays } from '../tokens/replays.ts';
import { defineGrant } from './grant.ts';

export type RefreshTokenDeps = {
  store: Pick<Store, 'refreshTokens'>;
  lookups: Lookups;
  replays: Replays;
  secrets: Secrets;
  config: Pick<Config, 'dcr' | 'oauth' | 'server'>;
};

/**
 * Refresh token grant (RFC 6749 §6), rotated on every use (RFC 9700 §4.14.2).
 *
 * A repeat within `oauth.refresh_reuse_window` by the same client, with the same key, gets the same successor, on any pod: a lost answer or
 * two tabs must not log anybody out. Once the successor was used, or the window is over, a repeat is a theft.
 */
export const refreshToken = ({ store, lookups, replays, secrets, config }: RefreshTokenDeps) => {
  /** The successor's hash matches unless `session.secret` was changed since: then the window is simply over. */
  const isRepeat = (token: HeldRefreshToken, successorHash: Buffer, proof: Proof | undefined, now: Date): boolean =>
    config.oauth.refresh_reuse_window > 0 && // else who asked before the other's answer would still be within it
    token.spentAt !== undefined &&
    now.getTime() - token.spentAt.getTime() <= config.oauth.refresh_reuse_window * 1000 &&
    !token.successorSpent &&
    (token.dpopJkt === undefined || token.dpopJkt === proof?.jkt) &&
    token.successorHash?.equals(successorHash) === true;

  return defineGrant({
    type: 'refresh_token',
    params: z.object({
      refresh_token: z.string({ error: 'refresh_token is missing' }),
      scope: z.string().optional(),
      resources: z.array(z.string()),
    }),

    async authorize(params, { client, proof, now }) {
      const hash = tokenHash(params.refresh_token);
      const held = await store.refreshTokens.find(hash);
      if (!held) throw invalidGrant('refresh_unknown');
      // A stranger's attempt must not end the owner's session: it is refused before any reuse is judged.
      if (held.clientId !== client.clientId) {
        await replays.refreshOfAnother(held, client.clientId, now);
        throw invalidGrant('refresh_other_client');
      }
      if (held.familyRevoked) throw invalidGrant('refresh_family_revoked');
      if (held.expiresAt <= now || held.familyExpiresAt <= now) throw invalidGrant('refresh_expired');
      if (!held.userActive) throw invalidGrant('user_not_active');
      if (!held.clientActive) throw invalidClient('client_not_active');

      const successor = secrets.successorOf(params.refresh_token);
      const successorHash = tokenHash(successor);
      const repeat = isRepeat(held, successorHash, proof, now);
      if (held.spentAt && !repeat) {
        // A request that was recorded and sent again proves no key and is no second holder of the token.
        await proof?.claim();
        await replays.refreshReused(held, now);
        throw invalidGrant('refresh_reused');
      }
      requireKey(held.dpopJkt, proof);

      const catalog = await lookups.resources();
      const targets = namedTargets(params.resources, held.targets, catalog, config.server.issuer);
      const asked = parseScope(params.scope);
      const grantable = grantableScopes(catalog, targets, client);
      if (asked && !includesAll(grantable, asked))
        throw invalidScope('The scope exceeds what was granted.', 'scope_outside_grant');
      const scopes = asked ?? grantable;
      if (scopes.length === 0) throw invalidScope('Nothing of the granted scope is left.', 'scope_empty');

      const several = held.targets.length > 1;
      const writeRepeat = async (issuance: Issuance): Promise<void> => {
        if (!(await store.refreshTokens.repeat(held.familyId, several, issuance)))
          throw invalidGrant('refresh_family_revoked');
      };
      return {
        grantType: 'refresh_token',
        client,
        subject: held.userId,
        subjectUserId: held.userId,
        scopes,
        ...authorizedFor(targets, config.server.issuer),
        authTime: held.authTime,
        acr: held.acr,
        familyId: held.familyId,
        ttlSeconds: config.dcr.default_token_expiry,
        refreshToken: successor,
        async commit(issuance) {
          if (repeat) return writeRepeat(issuance);
          const spent = await store.refreshTokens.spend({
            tokenHash: hash,
            familyId: held.familyId,
            several,
            successor: {
              hash: successorHash,
              expiresAt: earlier(after(now, config.dcr.default_refresh_expiry), held.familyExpiresAt),
            },
            issuance,
            bindTo: held.dpopJkt === undefined ? refreshKey(client, proof) : undefined,
          });
          if (spent) return;
          // Somebody was faster. If it was the same client a moment ago, both get the same successor.
          const fresh = await store.refreshTokens.find(hash);
          if (!fresh || fresh.familyRevoked || !fresh.userActive) throw invalidGrant('refresh_family_revoked');
          if (!fresh.clientActive) throw invalidClient('client_not_active');
          // Nobody spent it: the user narrowed the consent this very moment, which is no theft.
          if (!fresh.spentAt) throw invalidScope('The user has just allowed less.', 'scope_outside_grant');
          if (isRepeat(fresh, successorHash, proof, now)) return writeRepeat(issuance);
          await replays.refreshReused(fresh, now);
          throw invalidGrant('refresh_reused');
        },
      };
    },
  });
};
