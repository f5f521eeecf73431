/** Tokens and their leases. https://developer.hashicorp.com/vault/api-docs/auth/token */
import { randomBytes } from 'node:crypto';
import { auth, type Body, data, empty, errors, type Reply, toList, toSeconds } from './reply.ts';

export type Token = {
  id: string;
  policies: readonly string[];
  renewable: boolean;
  /** Seconds of one lease; 0 lives for ever. */
  ttl: number;
  /** Seconds that no renewal goes beyond; 0 is no limit. */
  maxTtl: number;
  period: number;
  createdAt: number;
  expiresAt: number;
};

export type NewToken = { policies: string[]; ttl: number; maxTtl?: number; period?: number; renewable?: boolean };

export const createTokens = (rootToken: string) => {
  const tokens = new Map<string, Token>();

  const add = ({ policies, ttl, maxTtl = 0, period = 0, renewable = true }: NewToken, id = newId()): Token => {
    const lease = period || ttl;
    const now = Date.now();
    const expiresAt = lease === 0 ? Number.POSITIVE_INFINITY : now + lease * 1000;
    const token = {
      id,
      policies,
      renewable: renewable && lease > 0,
      ttl: lease,
      maxTtl,
      period,
      createdAt: now,
      expiresAt,
    };
    tokens.set(id, token);
    return token;
  };
  add({ policies: ['root'], ttl: 0 }, rootToken);

  return {
    add,
    find(id: string | undefined): Token | undefined {
      const token = id === undefined ? undefined : tokens.get(id);
      return token && token.expiresAt > Date.now() ? token : undefined;
    },
    revoke: (id: string) => tokens.delete(id),
    /** What was handed out so far is worth nothing any more; the root token stays. */
    revokeAll() {
      for (const id of tokens.keys()) if (id !== rootToken) tokens.delete(id);
    },

    create(body: Body): Reply {
      const policies = [...toList(body.policies), ...(body.no_default_policy === true ? [] : ['default'])];
      const maxTtl = toSeconds(body.explicit_max_ttl);
      return login(
        add({
          policies,
          maxTtl,
          ttl: toSeconds(body.ttl ?? 2_764_800),
          period: toSeconds(body.period),
          renewable: body.renewable !== false,
        }),
      );
    },

    lookupSelf: (token: Token): Reply =>
      data({
        accessor: '',
        creation_time: Math.floor(token.createdAt / 1000),
        creation_ttl: token.ttl,
        expire_time: Number.isFinite(token.expiresAt) ? new Date(token.expiresAt).toISOString() : null,
        explicit_max_ttl: token.maxTtl,
        id: token.id,
        num_uses: 0,
        orphan: true,
        policies: token.policies,
        renewable: token.renewable,
        ttl: secondsLeft(token),
        type: 'service',
        ...(token.period > 0 ? { period: token.period } : {}),
      }),

    renewSelf(token: Token): Reply {
      if (!token.renewable) return errors(400, 'lease is not renewable');
      const wanted = Date.now() + token.ttl * 1000;
      const limit = token.maxTtl > 0 ? token.createdAt + token.maxTtl * 1000 : Number.POSITIVE_INFINITY;
      token.expiresAt = Math.min(wanted, limit);
      const warnings =
        wanted > limit ? ['TTL of the token exceeded the effective max_ttl; TTL value is capped accordingly'] : [];
      const reply = login(token);
      return { ...reply, body: { ...reply.body, warnings: warnings.length > 0 ? warnings : null } };
    },

    revokeSelf(token: Token): Reply {
      tokens.delete(token.id);
      return empty;
    },
  };
};

/** The answer to a login or a renewal. */
export const login = (token: Token): Reply =>
  auth({
    client_token: token.id,
    accessor: '',
    policies: token.policies,
    token_policies: token.policies,
    metadata: null,
    lease_duration: secondsLeft(token),
    renewable: token.renewable,
    entity_id: '',
    token_type: 'service',
    orphan: true,
    mfa_requirement: null,
    num_uses: 0,
  });

const secondsLeft = ({ expiresAt }: Token): number =>
  Number.isFinite(expiresAt) ? Math.max(0, Math.round((expiresAt - Date.now()) / 1000)) : 0;

const newId = (): string => `hvs.${randomBytes(24).toString('base64url')}`;
