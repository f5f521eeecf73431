import { hashClientSecret, newClientSecret } from '@authserver/oauth';
import type { ClientStatus } from '@authserver/store';
import { type ClientDeps, hasSecrets, requireClient } from './clients.ts';
import type { Call, HandlersOf } from './handler.ts';
import { conflict, invalid, notFound } from './refusals.ts';

/** From which states an action may start, and where it leads. `revoked` is final. */
const moves = {
  suspend: { from: ['active'], to: 'suspended', action: 'client.suspended' },
  reactivate: { from: ['suspended'], to: 'active', action: 'client.reactivated' },
  revoke: { from: ['active', 'suspended'], to: 'revoked', action: 'client.revoked' },
} as const;

type ClientActions = 'suspend' | 'reactivate' | 'revoke' | 'rotateSecret' | 'revokeSecret';

export const clientActionHandlers = ({ config }: ClientDeps): Pick<HandlersOf<'client'>, ClientActions> => ({
  suspend: ({ params, ...call }) => move(params.id, 'suspend', call),

  reactivate: ({ params, ...call }) => move(params.id, 'reactivate', call),

  async revoke({ params: { id: clientId }, ...call }) {
    const { store, now } = call;
    await store.consentGrants.revokeAllOfClient(clientId, now);
    const revokedFamilies = await store.tokenFamilies.revokeAll({ clientId }, 'client_revoked', now);
    await store.revocationMarkers.set('client', clientId, now);
    return move(clientId, 'revoke', call, { revoked_families: revokedFamilies });
  },

  async rotateSecret({ params, body, store, record, match, now }) {
    const client = await requireClient(store, params.id);
    match(client.version);
    const { clientId } = client;
    if (!hasSecrets(client))
      throw invalid([
        `A ${client.tokenEndpointAuthMethod === 'none' ? 'public' : 'private_key_jwt'} client has no secret.`,
      ]);
    const chosen = body?.client_secret;
    const secret = chosen ?? newClientSecret();
    const hash = hashClientSecret(secret, config.client_secret_pepper);
    const overlap = body?.overlap ?? 0;
    await store.clientSecrets.lock(clientId);
    const oldEndsAt = overlap > 0 ? new Date(now.getTime() + overlap * 1000) : undefined;
    if (oldEndsAt) await store.clientSecrets.add(clientId, hash, now, oldEndsAt);
    else await store.clients.replaceSecret(clientId, hash);
    record({
      action: 'client.secret_rotated',
      feed: { kind: 'client', key: clientId },
      clientId,
      details: { name: client.clientName, overlap },
    });
    return {
      client_id: clientId,
      ...(chosen === undefined ? { client_secret: secret } : {}),
      ...(oldEndsAt ? { old_secret_expires_at: oldEndsAt.toISOString() } : {}),
    };
  },

  async revokeSecret({ params, store, record, match }) {
    const client = await requireClient(store, params.id);
    match(client.version);
    const { clientId } = client;
    const secret = client.secrets.find(({ id }) => id === params.secret_id);
    if (!secret) throw notFound('secret');
    if (!(await store.clientSecrets.deleteExpiring(clientId, secret.id)))
      throw conflict('This is the secret that stays; rotate it instead, or suspend the client.');
    record({
      action: 'client.secret_revoked',
      feed: { kind: 'client', key: clientId },
      clientId,
      details: { name: client.clientName, secret_id: secret.id },
    });
  },
});

/** @throws {Problem} `not_found`, or `conflict` when the client's state does not allow the move; both undo everything */
const move = async (
  clientId: string,
  name: keyof typeof moves,
  { store, record, match }: Pick<Call, 'store' | 'record' | 'match'>,
  details: Record<string, unknown> = {},
): Promise<{ status: ClientStatus }> => {
  const { from, to, action } = moves[name];
  const before = await requireClient(store, clientId);
  match(before.version);
  const after = await store.clients.setStatus(clientId, from, to);
  if (!after) throw conflict(`A client that is ${before.status} cannot become ${to}.`);
  record({
    action,
    feed: { kind: 'client', key: clientId },
    clientId,
    details: { before: { status: before.status }, after: { status: after.status }, ...details },
  });
  return { status: after.status };
};
