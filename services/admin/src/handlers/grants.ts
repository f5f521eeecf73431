import type { BrokerGrantView, ConsentGrantView } from '@authserver/admin-api';
import { type BrokerGrant, type ConsentGrant, endConsent } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';

export const grantHandlers = (): HandlersOf<'grant'> => ({
  /** There is a broker grant a provider, which is few: they need no pages and come with the first. */
  async listUserGrants({ params, query: { limit, offset, cursor }, store, page }) {
    const consents = await store.consentGrants.pageOfUser(params.id, { limit, offset, after: cursor });
    page(consents);
    const isFirst = cursor === undefined && offset === 0;
    const connections = isFirst ? await store.brokerGrants.listOfUser(params.id) : [];
    return { consent_grants: consents.rows.map(toView), broker_grants: connections.map(toBrokerView) };
  },

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

  /** Idempotent as well. What the provider has issued lives on until it ends there: it is not ours to end. */
  async revokeBroker({ params, store, record, now }) {
    const before = await store.brokerGrants.find(params.id);
    const revoked = before && (await store.brokerGrants.revoke(before.id, now));
    if (!revoked) return;
    record({
      action: 'broker_grant.revoked_admin',
      feed: { kind: 'revocation', key: revoked.id },
      details: {
        id: revoked.id,
        user_id: revoked.userId,
        broker_provider_id: revoked.brokerProviderId,
        before: toBrokerView(before),
        after: toBrokerView(revoked),
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

const toBrokerView = (grant: BrokerGrant): z.output<typeof BrokerGrantView> => ({
  id: grant.id,
  user_id: grant.userId,
  broker_provider_id: grant.brokerProviderId,
  scopes_granted: [...grant.scopesGranted],
  version: grant.version,
  enc_backend: grant.encBackend,
  created_at: grant.createdAt.toISOString(),
  updated_at: grant.updatedAt.toISOString(),
  revoked_at: grant.revokedAt?.toISOString(),
});
