import type { IssuanceView } from '@authserver/admin-api';
import type { Repositories, StoredIssuance } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { invalid, notFound } from './refusals.ts';

const dayMs = 24 * 3600 * 1000;
const maxDays = 30;
/** What a look-up by `jti`, which has no span, says in `since`. */
const noSince = '0001-01-01T00:00:00Z';

export const issuanceHandlers = (): HandlersOf<'issuance'> => ({
  async list({ query, store, page, now }) {
    const { user, client, jti } = query;
    const resourceId = query.resource === undefined ? undefined : await resourceIdOf(store, query.resource);
    const nothingMatches = query.resource !== undefined && resourceId === undefined;

    if (jti !== undefined) {
      const row = nothingMatches ? undefined : await store.issuances.find(jti);
      const matches =
        row !== undefined &&
        (user === undefined || row.subjectUserId === user) &&
        (client === undefined || row.clientId === client) &&
        (resourceId === undefined || isFor(row, resourceId));
      return { issuances: matches ? [toView(row, now)] : [], since: noSince, count: matches ? 1 : 0 };
    }

    const { since, after } = beginOf(query, now);
    if (nothingMatches) return { issuances: [], since: since.toISOString(), count: 0 };
    const filter = { userId: user, clientId: client, resourceId, since };
    const { rows, next } = await store.issuances.list(filter, { limit: query.limit, after });
    page({ next: next === undefined ? undefined : `${since.toISOString()} ${next}` });
    return { issuances: rows.map((row) => toView(row, now)), since: since.toISOString(), count: rows.length };
  },

  async get({ params, store, now }) {
    const row = await store.issuances.find(params.id);
    if (!row) throw notFound('issuance');
    return toView(row, now);
  },

  /** Idempotent: what is not there, or revoked already, is as revoked as one can wish. */
  async revoke({ params, store, record, now }) {
    const revoked = await store.issuances.revoke(params.id, now);
    if (!revoked) return;
    record({
      action: 'issuance.revoked_admin',
      feed: { kind: 'revocation', key: revoked.id },
      clientId: revoked.clientId,
      details: {
        id: revoked.id,
        subject_user_id: revoked.subjectUserId,
        client_id: revoked.clientId,
        resource_id: revoked.resourceId,
        before: { revoked_at: null },
        after: { revoked_at: now.toISOString() },
      },
    });
  },
});

/**
 * From when on, and behind which row. A position carries the beginning of its first page: else the day that is looked back
 * by default would move on while somebody turns pages, and its oldest hours be missing.
 */
const beginOf = (
  { since, cursor }: { since?: string | undefined; cursor?: string | undefined },
  now: Date,
): { since: Date; after?: string } => {
  const [begun = '', after] = cursor?.split(' ') ?? [];
  const carried = new Date(after === undefined ? Number.NaN : begun);
  const asked = since === undefined ? new Date(now.getTime() - dayMs) : new Date(since);
  if (!Number.isNaN(carried.getTime())) {
    // What was allowed on the first page is allowed while its pages are turned, for a day.
    const oldest = new Date(now.getTime() - (maxDays + 1) * dayMs);
    return { since: carried < oldest ? oldest : carried, ...(after === undefined ? {} : { after }) };
  }
  if (asked.getTime() < now.getTime() - maxDays * dayMs)
    throw invalid([`since: must not be more than ${maxDays} days ago`]);
  return cursor === undefined ? { since: asked } : { since: asked, after: cursor };
};

const resourceIdOf = async (store: Repositories, idOrSlug: string): Promise<string | undefined> =>
  ((await store.resources.find(idOrSlug)) ?? (await store.resources.findBySlug(idOrSlug)))?.id;

const isFor = (row: StoredIssuance, resourceId: string): boolean =>
  row.resourceId === resourceId || row.furtherTargets?.some((further) => further.resourceId === resourceId) === true;

const toView = (row: StoredIssuance, now: Date): z.output<typeof IssuanceView> => ({
  id: row.id,
  jti: row.id,
  grant_type: row.grantType,
  subject: row.subject,
  subject_user_id: row.subjectUserId,
  client_id: row.clientId,
  resource_id: row.resourceId,
  resource: row.resource,
  ...(row.furtherTargets?.length
    ? { resources: [row.resource, ...row.furtherTargets.map(({ resource }) => resource)] }
    : {}),
  scopes: [...row.scopes],
  backend_kind: row.backendKind,
  revocable: row.backendKind === 'mint',
  issued_at: row.issuedAt.toISOString(),
  expires_at: row.expiresAt.toISOString(),
  revoked_at: row.revokedAt?.toISOString(),
  status: row.ended ? 'revoked' : row.expiresAt <= now ? 'expired' : 'active',
  dpop_jkt: row.dpopJkt,
  agent_id: row.agentId,
  agent_chain: [...row.agentChain],
  consent_client_id: row.consentClientId,
  parent_jti: row.parentId,
  idp_id: row.idpId,
});
