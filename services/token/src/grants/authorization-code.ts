import { invalidGrant, verifierMatches } from '@authserver/oauth';
import { allowedFailures, type NewAuthorizationCode, type Store } from '@authserver/store';
import { z } from 'zod';
import { requireKey } from '../dpop/binding.ts';
import { tokenHash } from '../secrets.ts';
import type { Authorization } from '../tokens/authorization.ts';
import { type IssuedHere, unlessRefused } from '../tokens/issued-here.ts';
import type { Replays } from '../tokens/replays.ts';
import { defineGrant, type GrantContext } from './grant.ts';
import { type CodeFacts, type RedeemCode, requireStanding } from './redeem-code.ts';

export type AuthorizationCodeDeps = {
  store: Pick<Store, 'authorizationCodes'>;
  replays: Replays;
  redeemCode: RedeemCode;
  issuedCodes: IssuedHere<NewAuthorizationCode>;
};

const type = 'authorization_code';

const CodeParams = z.object({
  code: z.string({ error: 'code is missing' }),
  redirect_uri: z.string().optional(),
  code_verifier: z.string({ error: 'code_verifier is missing' }),
  resources: z.array(z.string()),
});
type CodeParams = z.output<typeof CodeParams>;

/**
 * Authorization code grant (RFC 6749 §4.1.3) with PKCE (RFC 7636).
 *
 * Everything is checked before the code is spent: a client that made a mistake may correct it, and nobody but the
 * client the code belongs to can use it up.
 */
export const authorizationCode = ({ store, replays, redeemCode, issuedCodes }: AuthorizationCodeDeps) => {
  /** What is asked of a client that has shown the verifier. */
  const judge = async (code: CodeFacts, params: CodeParams, context: GrantContext): Promise<Authorization> => {
    requireKey(code.dpopJkt, context.proof);
    if (params.redirect_uri !== code.redirectUri) throw invalidGrant('redirect_uri_mismatch');
    return redeemCode(type, code, params.resources, context);
  };

  const byMemory = async (
    hash: Buffer,
    params: CodeParams,
    context: GrantContext,
  ): Promise<Authorization | undefined> => {
    const code = issuedCodes.take(hash);
    if (code?.clientId !== context.client.clientId || code.expiresAt <= context.now) return undefined;
    if (!verifierMatches(params.code_verifier, code.codeChallenge)) return undefined;
    const authorization = await unlessRefused(judge(code, params, context));
    return authorization && { ...authorization, isRemembered: true };
  };

  return defineGrant({
    type,
    params: CodeParams,

    async authorize(params, context) {
      const { client, proof, now } = context;
      const codeHash = tokenHash(params.code);
      const remembered = await byMemory(codeHash, params, context);
      if (remembered) return remembered;

      const code = await store.authorizationCodes.find(codeHash);
      // A device code is kept among them, and has no challenge: it is none of these, and nobody guesses at it here.
      if (!code || code.codeChallenge === '') throw invalidGrant('code_unknown');
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
      requireStanding(code);
      return judge(code, params, context);
    },
  });
};
