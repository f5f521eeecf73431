import { hashClientSecret, newClientSecret } from '@authserver/oauth';
import type { ClientStatus, Repositories } from '@authserver/store';
import { type ClientDeps, requireClient } from './clients.ts';
import type { Caller, HandlersOf } from './handler.ts';
import { recordChange } from './record-change.ts';
import { conflict, invalid } from './refusals.ts';

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
}: ClientDeps): Pick<HandlersOf<'client'>, 'suspend' | 'reactivate' | 'revoke' | 'rotateSecret'> => ({
  suspend: ({ params, ...actor }) => store.transaction((tx) => move(tx, params.id, 'suspend', actor)),

  reactivate: ({ params, ...actor }) => store.transaction((tx) => move(tx, params.id, 'reactivate', actor)),

  revoke: ({ params, ...actor }) =>
    store.transaction(async (tx) => {
      await tx.consentGrants.lockOf({ clientId: params.id });
      const revokedFamilies = await tx.tokenFamilies.revokeAll({ clientId: params.id }, 'client_revoked', actor.now);
      await tx.revocationMarkers.set('client', params.id, actor.now);
      return move(tx, params.id, 'revoke', actor, { revoked_families: revokedFamilies });
    }),

  rotateSecret: ({ params, caller, now }) =>
    store.transaction(async (tx) => {
      const client = await requireClient(tx, params.id);
      if (client.tokenEndpointAuthMethod === 'none') throw invalid(['A public client has no secret.']);
      const secret = newClientSecret();
      await tx.clients.replaceSecret(client.clientId, hashClientSecret(secret, config.client_secret_pepper));
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'client.secret_rotated',
          kind: 'client',
          key: client.clientId,
          clientId: client.clientId,
          details: { name: client.clientName },
        },
      );
      return { client_id: client.clientId, client_secret: secret };
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
