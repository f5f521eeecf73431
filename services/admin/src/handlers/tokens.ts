import type { TokenView } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import type { ListedToken, Paged, Repositories } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { notFound } from './refusals.ts';
import { requireUser } from './users.ts';

type TokenDeps = { config: Config };

export const tokenHandlers = ({ config }: TokenDeps): HandlersOf<'token'> => ({
  async list({ query: { client_id: clientId, user_id: userId, limit, offset, cursor }, store, page, now }) {
    const filter = { clientId, userId, now, aliveSince: aliveSince(config, now) };
    const found = await store.tokens.list(filter, { limit, offset, after: cursor });
    page(found);
    return toAnswer(found, now);
  },

  /** Idempotent for what is over already; an id that was never given out is a mistake. */
  async revoke({ params, store, record, now }) {
    const found = await store.tokens.find(params.jti);
    if (!found) throw notFound('token');
    const { kind, clientId, userId } = found;
    if (!(await revoke(store, kind, params.jti, now))) return;
    record({
      action: 'token.revoked',
      feed: { kind: 'revocation', key: params.jti },
      clientId,
      details: {
        ...(kind === 'family' ? { family: params.jti } : { jti: params.jti }),
        user_id: userId,
        before: { revoked_at: null },
        after: { revoked_at: now.toISOString() },
      },
    });
  },
});

export const userTokenHandlers = ({ config }: TokenDeps): Pick<HandlersOf<'user'>, 'tokens'> => ({
  async tokens({ params, query: { limit, offset, cursor }, store, page, now }) {
    const { id: userId } = await requireUser(store, params.id);
    const filter = { userId, now, aliveSince: aliveSince(config, now) };
    const found = await store.tokens.list(filter, { limit, offset, after: cursor });
    page(found);
    return toAnswer(found, now);
  },
});

/** True when this call ended it. */
const revoke = async (
  { tokenFamilies, issuances }: Pick<Repositories, 'tokenFamilies' | 'issuances'>,
  kind: ListedToken['kind'],
  id: string,
  now: Date,
): Promise<boolean> =>
  kind === 'family'
    ? tokenFamilies.revoke(id, 'revoked_by_operator', now)
    : (await issuances.revoke(id, now)) !== undefined;

const dayMs = 24 * 3600 * 1000;

/**
 * When the oldest access token that is alive may have been issued. At least a day ago, so that tokens from before a
 * lifetime was made shorter are not forgotten.
 */
const aliveSince = ({ dcr, client_credentials, token_exchange, xaa }: Config, now: Date): Date => {
  const longest = Math.max(
    ...[dcr.default_token_expiry, client_credentials.token_expiry, token_exchange.token_expiry, xaa.token_expiry],
  );
  return new Date(now.getTime() - Math.max(longest * 1000, dayMs));
};

const toAnswer = ({ rows, total }: Paged<ListedToken>, now: Date) => ({
  tokens: rows.map((row) => toView(row, now)),
  ...(total === undefined ? {} : { total }),
});

const toView = (token: ListedToken, now: Date): z.output<typeof TokenView> => ({
  jti: token.id,
  type: token.grantType,
  client_id: token.clientId,
  user_id: token.userId,
  scope: token.scopes.join(' '),
  resource: token.resource ?? '',
  status: token.ended ? 'revoked' : token.expiresAt <= now ? 'expired' : 'active',
  created_at: token.createdAt.toISOString(),
  expires_at: token.expiresAt.toISOString(),
});
