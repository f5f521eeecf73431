import type { ConsentGrantView } from '@authserver/admin-api';
import { type ConsentGrant, endConsent, type Store } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { recordChange } from './record-change.ts';

export const grantHandlers = ({ store }: { store: Store }): HandlersOf<'grant'> => ({
  listUserGrants: async ({ params }) => ({
    consent_grants: (await store.consentGrants.listOfUser(params.id)).map(toView),
    broker_grants: [],
  }),

  /** Idempotent: what is not there, or revoked already, is as revoked as one can wish. */
  revokeConsent: ({ params, caller, now }) =>
    store.transaction(async (tx) => {
      const before = await tx.consentGrants.find(params.id);
      const ended = before && (await endConsent(tx, before.id, now));
      if (!ended) return;
      const { revoked, families } = ended;
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'consent_grant.revoked_admin',
          kind: 'revocation',
          key: revoked.id,
          clientId: revoked.clientId,
          details: {
            id: revoked.id,
            user_id: revoked.userId,
            client_id: revoked.clientId,
            resource_id: revoked.resourceId,
            revoked_families: families,
            before: toView(before),
            after: toView(revoked),
          },
        },
      );
    }),
});

const toView = (grant: ConsentGrant): z.output<typeof ConsentGrantView> => ({
  id: grant.id,
  user_id: grant.userId,
  client_id: grant.clientId,
  resource_id: grant.resourceId,
  scopes: [...grant.scopes],
  created_at: grant.createdAt.toISOString(),
  updated_at: grant.updatedAt.toISOString(),
  revoked_at: grant.revokedAt?.toISOString(),
});
