import type { Config } from '@authserver/config';
import { includesAll, invalidGrant, invalidTarget, sameResource, verifierMatches } from '@authserver/oauth';
import { type AuthorizationCode, type Store, uuidv7 } from '@authserver/store';
import { z } from 'zod';
import type { Lookups } from '../lookups.ts';
import { offeredScopes } from '../scopes.ts';
import { randomToken, tokenHash } from '../secrets.ts';
import { after, earlier } from '../time.ts';
import type { Replays } from '../tokens/replays.ts';
import { defineGrant } from './grant.ts';

export type AuthorizationCodeDeps = {
  store: Pick<Store, 'authorizationCodes'>;
  lookups: Lookups;
  replays: Replays;
  config: Pick<Config, 'dcr' | 'oauth' | 'server'>;
};

/** Wrong verifiers the right client may send before the code is dead; guessing needs 2^256. */
const allowedFailures = 5;

/**
 * Authorization code grant (RFC 6749 §4.1.3) with PKCE (RFC 7636).
 *
 * Everything is checked before the code is spent: a client that made a mistake may correct it, and nobody but the
 * client the code belongs to can use it up.
 */
export const authorizationCode = ({ store, lookups, replays, config }: AuthorizationCodeDeps) =>
  defineGrant({
    type: 'authorization_code',
    params: z.object({
      code: z.string({ error: 'code is missing' }),
      redirect_uri: z.string().optional(),
      code_verifier: z.string({ error: 'code_verifier is missing' }),
      resources: z.array(z.string()),
    }),

    async authorize(params, { client, now }) {
      if (params.resources.length > 1) throw invalidTarget('Only one resource per request is supported.');
      const codeHash = tokenHash(params.code);
      const code = await store.authorizationCodes.find(codeHash);
      if (!code) throw invalidGrant('code_unknown');
      if (code.clientId !== client.clientId) throw invalidGrant('code_other_client');
      const verified = verifierMatches(params.code_verifier, code.codeChallenge);
      if (code.redeemedAt) {
        await replays.codeReused(code, verified, now);
        throw invalidGrant('code_reused');
      }
      if (code.expiresAt <= now) throw invalidGrant('code_expired');
      if (code.failedAttempts >= allowedFailures) throw invalidGrant('code_attempts_exhausted');
      if (!verified) {
        await store.authorizationCodes.countFailure(codeHash);
        throw invalidGrant('pkce_mismatch');
      }
      if (params.redirect_uri !== code.redirectUri) throw invalidGrant('redirect_uri_mismatch');
      requireSameResource(code, params.resources[0], config.server.issuer);
      if (!code.userActive) throw invalidGrant('user_not_active');
      if (code.consentRevoked) throw invalidGrant('consent_revoked');
      // What the user allowed must still be on offer: the resource, its scopes, and the client's right to them.
      const offered = await offeredScopes(lookups, code.resourceId, client);
      if (!includesAll(offered, code.scopes)) throw invalidGrant('scope_outside_catalog');

      const refreshes = client.grantTypes.includes('refresh_token');
      const ttlSeconds = config.dcr.default_token_expiry;
      const familyExpiresAt = after(now, refreshes ? config.oauth.refresh_absolute_lifetime : ttlSeconds);
      const familyId = uuidv7(now);
      const refreshToken = refreshes ? randomToken() : undefined;
      return {
        grantType: 'authorization_code',
        client,
        subject: code.userId,
        subjectUserId: code.userId,
        scopes: code.scopes,
        resource: { id: code.resourceId, audience: code.resource ?? config.server.issuer },
        authTime: code.authTime,
        familyId,
        consentGrantId: code.consentGrantId,
        ttlSeconds,
        refreshToken,
        async commit(issuance) {
          const redeemed = await store.authorizationCodes.redeem({
            codeHash,
            now,
            familyId,
            familyExpiresAt,
            dpopJkt: undefined,
            refreshToken:
              refreshToken === undefined
                ? undefined
                : {
                    hash: tokenHash(refreshToken),
                    expiresAt: earlier(after(now, config.dcr.default_refresh_expiry), familyExpiresAt),
                  },
            issuance,
          });
          if (redeemed) return;
          // Lost the race: somebody else holds the tokens of this code, so the code has leaked. Same rule as a replay.
          const spent = await store.authorizationCodes.find(codeHash);
          if (spent?.redeemedAt) await replays.codeReused(spent, true, now);
          throw invalidGrant(spent?.redeemedAt ? 'code_reused' : 'consent_revoked');
        },
      };
    },
  });

/** A `resource` at the token endpoint may only repeat what the code is for (RFC 8707 §2.2). */
const requireSameResource = (code: AuthorizationCode, asked: string | undefined, issuer: string): void => {
  if (asked !== undefined && !sameResource(asked, code.resource ?? issuer))
    throw invalidTarget('The code was issued for another resource.', 'resource_mismatch');
};
