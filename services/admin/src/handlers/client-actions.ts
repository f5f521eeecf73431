import { hashClientSecret, newClientSecret } from '@authserver/oauth';
import type { ClientStatus, Repositories } from '@authserver/store';
import { type ClientDeps, hasSecrets, requireClient } from './clients.ts';
import type { Caller, HandlersOf } from './handler.ts';
import { recordChange } from './record-change.ts';
import { conflict, invalid, notFound } from './refusals.ts';

/** From which states an action may start, and where it leads. `revoked` is final. */
const moves = {
  suspend: { from: ['active'], to: 'suspended', action: 'client.suspended' },
  reactivate: { from: ['suspended'], to: 'active', action: 'client.reactivated' },
  revoke: { from: ['active', 'suspended'], to: 'revoked', action: 'client.revoked' },
} as const;

type Actor = { caller: Caller; now: Date };

export const clientActionHandlers = ({
  store,
  config,
}: ClientDeps): Pick<HandlersOf<'client'>, 'suspend' | 'reactivate' | 'revoke' | 'rotateSecret' | 'revokeSecret'> => ({
  suspend: ({ params, ...actor }) => store.transaction((tx) => move(tx, params.id, 'suspend', actor)),

  reactivate: ({ params, ...actor }) => store.transaction((tx) => move(tx, params.id, 'reactivate', actor)),

  revoke: ({ params, ...actor }) =>
    store.transaction(async (tx) => {
      await tx.consentGrants.revokeAllOfClient(params.id, actor.now);
      const revokedFamilies = await tx.tokenFamilies.revokeAll({ clientId: params.id }, 'client_revoked', actor.now);
      await tx.revocationMarkers.set('client', params.id, actor.now);
      return move(tx, params.id, 'revoke', actor, { revoked_families: revokedFamilies });
    }),

  rotateSecret: ({ params, body, caller, now }) =>
    store.transaction(async (tx) => {
      const client = await requireClient(tx, params.id);
      if (!hasSecrets(client))
        throw invalid([
          `A ${client.tokenEndpointAuthMethod === 'none' ? 'public' : 'private_key_jwt'} client has no secret.`,
        ]);
      const secret = newClientSecret();
      const hash = hashClientSecret(secret, config.client_secret_pepper);
      const overlap = body?.overlap ?? 0;
      await tx.clientSecrets.lock(client.clientId);
      const oldEndsAt = overlap > 0 ? new Date(now.getTime() + overlap * 1000) : undefined;
      if (oldEndsAt) await tx.clientSecrets.add(client.clientId, hash, now, oldEndsAt);
      else await tx.clients.replaceSecret(client.clientId, hash);
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'client.secret_rotated',
          kind: 'client',
          key: client.clientId,
          clientId: client.clientId,
          details: { name: client.clientName, overlap },
        },
      );
      return {
        client_id: client.clientId,
        client_secret: secret,
        ...(oldEndsAt ? { old_secret_expires_at: oldEndsAt.toISOString() } : {}),
      };
    }),

  revokeSecret: ({ params, caller, now }) =>
    store.transaction(async (tx) => {
      const client = await requireClient(tx, params.id);
      const secret = client.secrets.find(({ id }) => id === params.secret_id);
      if (!secret) throw notFound('secret');
      if (!(await tx.clientSecrets.deleteExpiring(client.clientId, secret.id)))
        throw conflict('This is the secret that stays; rotate it instead, or suspend the client.');
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'client.secret_revoked',
          kind: 'client',
          key: client.clientId,
          clientId: client.clientId,
          details: { name: client.clientName, secret_id: secret.id },
        },
      );
    }),
});

/** @throws {Problem} `not_found`, or `conflict` when the client's state does not allow the move; both undo everything */
const move = async (
  tx: Repositories,
  clientId: string,
  name: keyof typeof moves,
  actor: Actor,
  details: Record<string, unknown> = {},
): Promise<{ status: ClientStatus }> => {
  const { from, to, action } = moves[name];
  const before = await requireClient(tx, clientId);
  const after = await tx.clients.setStatus(clientId, from, to);
  if (!after) throw conflict(`A client that is ${before.status} cannot become ${to}.`);
  await recordChange(tx, actor, {
    action,
    kind: 'client',
    key: clientId,
    clientId,
    details: { before: { status: before.status }, after: { status: after.status }, ...details },
  });
  return { status: after.status };
};
