import { endOfTurn } from '@authserver/http';
import { invalidGrant, verifierMatches } from '@authserver/oauth';
import { allowedFailures, type NewAuthorizationCode, type Store } from '@authserver/store';
import { z } from 'zod';
import { requireKey } from '../dpop/binding.ts';
import { tokenHash } from '../secrets.ts';
import type { Authorization } from '../tokens/authorization.ts';
import { type IssuedHere, unlessRefused } from '../tokens/issued-here.ts';
import type { Replays } from '../tokens/replays.ts';
import { defineGrant, type GrantContext } from './grant.ts';
import { type RedeemCode, requireStanding } from './redeem-code.ts';

export type AuthorizationCodeDeps = {
  store: Pick<Store, 'authorizationCodes'>;
  replays: Replays;
  redeemCode: RedeemCode;
  issuedCodes: IssuedHere<NewAuthorizationCode>;
};

const type = 'authorization_code';

const params = z.object({
  code: z.string({ error: 'code is missing' }),
  redirect_uri: z.string().optional(),
  code_verifier: z.string({ error: 'code_verifier is missing' }),
  resources: z.array(z.string()),
});
type Params = z.output<typeof params>;

/**
 * Authorization code grant (RFC 6749 §4.1.3) with PKCE (RFC 7636).
 *
 * Everything is checked before the code is spent: a client that made a mistake may correct it, and nobody but the
 * client the code belongs to can use it up.
 */
export const authorizationCode = ({ store, replays, redeemCode, issuedCodes }: AuthorizationCodeDeps) => {
  const byMemory = async (
    codeHash: Buffer,
    params: Params,
    context: GrantContext,
  ): Promise<Authorization | undefined> => {
    const { client, proof, now } = context;
    const code = issuedCodes.take(codeHash);
    if (
      code?.clientId !== client.clientId ||
      code.expiresAt <= now ||
      code.redirectUri !== params.redirect_uri ||
      (code.dpopJkt !== undefined && code.dpopJkt !== proof?.jkt) ||
      !verifierMatches(params.code_verifier, code.codeChallenge)
    )
      return undefined;
    const granted = await unlessRefused(redeemCode(type, code, params.resources, context));
    await endOfTurn(); // no statement that others share was waited for, so it waits for them here (decision 0042)
    return granted;
  };

  return defineGrant({
    type,
    params,

    async authorize(params, context) {
      const { client, proof, now } = context;
      const codeHash = tokenHash(params.code);
      const remembered = await byMemory(codeHash, params, context);
      if (remembered) return remembered;

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
      requireStanding(code);
      return redeemCode(type, code, params.resources, context);
    },
  });
};
