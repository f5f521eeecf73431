import { type GrantType, invalidRequest } from '@authserver/oauth';
import type { Client, Issuance } from '@authserver/store';
import type { z } from 'zod';
import type { Params } from '../params.ts';

/** What a grant may know about the request: who asks and when. Never the request itself. */
export type GrantContext = { client: Client; now: Date };

/**
 * An approved request: everything the issuer needs to make the token, and the one write that makes it true.
 */
export type Authorization = {
  grantType: 'authorization_code' | 'refresh_token' | 'client_credentials';
  client: Client;
  /** `sub`: a user's id, or the client's own for a machine token. */
  subject: string;
  subjectUserId: string | undefined;
  scopes: readonly string[];
  resource: { id: string | undefined; audience: string };
  authTime: Date | undefined;
  familyId: string | undefined;
  consentGrantId: string | undefined;
  /** Seconds the access token lives. */
  ttlSeconds: number;
  /** Goes into the answer if the commit succeeds. */
  refreshToken: string | undefined;
  /**
   * Makes the decision durable together with the token's issuance row. Rejects when the world moved on since the grant
   * was read; the token signed meanwhile is then thrown away.
   */
  commit(issuance: Issuance): Promise<void>;
};

/** A grant type: how its parameters look, and who gets what for them. */
export type Grant = {
  type: GrantType;
  /** Loads and decides. Throws `OAuthError`; writes nothing but the trace of a refusal that must leave one. */
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
