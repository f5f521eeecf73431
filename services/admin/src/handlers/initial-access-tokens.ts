import { createHash, randomBytes } from 'node:crypto';
import type { InitialAccessTokenView } from '@authserver/admin-api';
import { type InitialAccessToken, uuidv7 } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { notFound } from './refusals.ts';

/**
 * Tokens that let their bearers register clients. The data plane reads them when they are used and never keeps one, so
 * their changes are in the audit trail but not in the change feed.
 */
export const initialAccessTokenHandlers = (): HandlersOf<'initialAccessToken'> => ({
  async list({ query: { limit, offset, cursor }, store, page, now }) {
    const found = await store.initialAccessTokens.list({ limit, offset, after: cursor });
    page(found);
    return found.rows.map((row) => toView(row, now));
  },

  async create({ body: { label, expires_in: seconds, max_uses: maxUses }, store, record, now }) {
    const token = `iat_${randomBytes(32).toString('base64url')}`;
    const row = await store.initialAccessTokens.insert({
      id: uuidv7(now),
      label,
      tokenHash: createHash('sha256').update(token).digest(),
      maxUses,
      createdAt: now,
      expiresAt: new Date(now.getTime() + seconds * 1000),
    });
    record({
      action: 'initial_access_token.created',
      details: { id: row.id, label: row.label, after: toView(row, now) },
    });
    return { ...toView(row, now), token };
  },

  async delete({ params, store, record, now }) {
    const row = await store.initialAccessTokens.revoke(params.id, now);
    if (!row) throw notFound('initial access token that could be revoked');
    record({
      action: 'initial_access_token.revoked',
      details: { id: row.id, label: row.label, before: toView({ ...row, revokedAt: undefined }, now) },
    });
  },
});

const toView = (row: InitialAccessToken, now: Date): z.output<typeof InitialAccessTokenView> => ({
  id: row.id,
  label: row.label,
  status: row.revokedAt ? 'revoked' : row.expiresAt <= now ? 'expired' : row.uses >= row.maxUses ? 'used_up' : 'usable',
  uses: row.uses,
  max_uses: row.maxUses,
  created_at: row.createdAt.toISOString(),
  expires_at: row.expiresAt.toISOString(),
  last_used_at: row.lastUsedAt?.toISOString(),
  revoked_at: row.revokedAt?.toISOString(),
});
