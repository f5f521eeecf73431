import { type GrantType, invalidRequest } from '@authserver/oauth';
import type { Client } from '@authserver/store';
import type { z } from 'zod';
import type { Proof } from '../dpop/proof.ts';
import type { Params } from '../params.ts';
import type { Authorization } from '../tokens/authorization.ts';

/**
 * What a grant may know about the request: who asks, with which key, and when. Never the request itself. The issuer binds
 * the access token to the key and uses the proof up; a grant binds the refresh token (`dpop/binding.ts`).
 */
export type GrantContext = { client: Client; proof: Proof | undefined; now: Date };

/** A grant type: how its parameters look, and who gets what for them. */
export type Grant = {
  type: GrantType;
  /**
   * Loads and decides; again, with the same client and time, where the commit found the world changed. Throws `OAuthError`; writes
   * nothing but the trace of a refusal that must leave one.
   */
  authorize(params: Params, context: GrantContext): Promise<Authorization>;
};

/** Ties a parameter schema to the code that reads it, so that `authorize` sees parsed values only. */
export const defineGrant = <Schema extends z.ZodType>(grant: {
  type: GrantType;
  params: Schema;
  authorize(params: z.output<Schema>, context: GrantContext): Promise<Authorization>;
}): Grant => ({
  type: grant.type,
  async authorize(params, context) {
    const parsed = grant.params.safeParse(params);
    if (!parsed.success) throw invalidRequest(`${parsed.error.issues[0]?.message ?? 'The request is malformed'}.`);
    return grant.authorize(parsed.data, context);
  },
});
