import { invalidGrant, verifierMatches } from '@authserver/oauth';
import type { Store } from '@authserver/store';
import { z } from 'zod';
import { requireKey } from '../dpop/binding.ts';
import { tokenHash } from '../secrets.ts';
import type { Replays } from '../tokens/replays.ts';
import { defineGrant } from './grant.ts';
import type { RedeemCode } from './redeem-code.ts';

export type AuthorizationCodeDeps = {
  store: Pick<Store, 'authorizationCodes'>;
  replays: Replays;
  redeemCode: RedeemCode;
};

/** Wrong verifiers the right client may send before the code is dead; guessing needs 2^256. */
const allowedFailures = 5;

/**
 * Authorization code grant (RFC 6749 §4.1.3) with PKCE (RFC 7636).
 *
 * Everything is checked before the code is spent: a client that made a mistake may correct it, and nobody but the
 * client the code belongs to can use it up.
 */
export const authorizationCode = ({ store, replays, redeemCode }: AuthorizationCodeDeps) =>
  defineGrant({
    type: 'authorization_code',
    params: z.object({
      code: z.string({ error: 'code is missing' }),
      redirect_uri: z.string().optional(),
      code_verifier: z.string({ error: 'code_verifier is missing' }),
      resources: z.array(z.string()),
    }),

    async authorize(params, context) {
      const { client, proof, now } = context;
      const codeHash = tokenHash(params.code);
      const code = await store.authorizationCodes.find(codeHash);
      if (!code) throw invalidGrant('code_unknown');
      if (code.clientId !== client.clientId) throw invalidGrant('code_other_client');
      const verified = verifierMatches(params.code_verifier, code.codeChallenge);
      if (code.redeemedAt) {
        // A request that was recorded and sent again proves no key and says nothing about the code.
        await proof?.claim();
        await replays.codeReused(code, verified, now);
        throw invalidGrant('code_reused');
      }
      if (code.expiresAt <= now) throw invalidGrant('code_expired');
      if (code.failedAttempts >= allowedFailures) throw invalidGrant('code_attempts_exhausted');
      if (!verified) {
        await store.authorizationCodes.countFailure(codeHash);
        throw invalidGrant('pkce_mismatch');
      }
      requireKey(code.dpopJkt, proof);
      if (params.redirect_uri !== code.redirectUri) throw invalidGrant('redirect_uri_mismatch');
      return redeemCode('authorization_code', code, params.resources, context);
    },
  });
