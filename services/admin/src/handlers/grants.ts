import type { ConsentGrantView } from '@authserver/admin-api';
import { type ConsentGrant, endConsent } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';

export const grantHandlers = (): HandlersOf<'grant'> => ({
  listUserGrants: async ({ params, store }) => ({
    consent_grants: (await store.consentGrants.listOfUser(params.id)).map(toView),
    broker_grants: [],
  }),

  /** Idempotent: what is not there, or revoked already, is as revoked as one can wish. */
  async revokeConsent({ params, store, record, now }) {
    const before = await store.consentGrants.find(params.id);
    const ended = before && (await endConsent(store, before.id, now));
    if (!ended) return;
    const { revoked, families } = ended;
    record({
      action: 'consent_grant.revoked_admin',
      feed: { kind: 'revocation', key: revoked.id },
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
    });
  },
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
