import type { AdminKeyView } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import { hashClientSecret } from '@authserver/oauth';
import { type AdminKey, type Repositories, uuidv7 } from '@authserver/store';
import type { z } from 'zod';
import { adminKeyStatus, newAdminKey } from '../auth/key.ts';
import type { HandlersOf } from './handler.ts';
import { ChangedMeanwhile, conflict, notFound } from './refusals.ts';

type AdminKeyDeps = { config: Pick<Config, 'client_secret_pepper'>; version: string };

/**
 * Who may use this API. Only an owner gets here, so nobody makes a key that may do more than their own; and the configured
 * key is an owner's, so there is always one left.
 */
export const adminKeyHandlers = ({ config }: Omit<AdminKeyDeps, 'version'>): HandlersOf<'adminKey'> => ({
  async list({ query: { limit, offset, cursor }, store, page, now }) {
    const found = await store.adminKeys.list({ limit, offset, after: cursor });
    page(found);
    return found.rows.map((key) => toView(key, now));
  },

  async get({ params, store, etag, now }) {
    const key = await requireKey(store, params.id);
    etag(key.version);
    return toView(key, now);
  },

  async self({ caller: { actorId: actor, role, key }, store, now }) {
    return { actor, role, ...(key ? { key: toView(await requireKey(store, key.id), now) } : {}) };
  },

  async create({ body: { label, role, expires_in: seconds }, caller, store, record, etag, now }) {
    const key = newAdminKey();
    const created = await store.adminKeys.insert({
      id: uuidv7(now),
      label,
      role,
      keyHash: hashClientSecret(key, config.client_secret_pepper),
      createdBy: caller.actorId,
      createdAt: now,
      expiresAt: endOf(seconds, now),
    });
    const after = toView(created, now);
    record({ action: 'admin_key.created', details: { admin_key: created.id, after } });
    etag(created.version);
    return { ...after, key };
  },

  async update({ params, body: { label, role, expires_in: seconds }, store, record, match, etag, now }) {
    const before = await requireKey(store, params.id);
    match(before.version);
    if (before.revokedAt !== undefined) throw conflict('The admin key is revoked, and that is for good.');
    etag(before.version);
    if (label === undefined && role === undefined && seconds === undefined) return toView(before, now);
    const after = await store.adminKeys.update({
      ...before,
      label: label ?? before.label,
      role: role ?? before.role,
      expiresAt: seconds === undefined ? before.expiresAt : endOf(seconds, now),
    });
    if (!after) throw new ChangedMeanwhile('admin key');
    record({
      action: 'admin_key.updated',
      details: { admin_key: after.id, before: toView(before, now), after: toView(after, now) },
    });
    etag(after.version);
    return toView(after, now);
  },

  /** The row stays, so that what the key did can be told from what others did. */
  async delete({ params, store, record, match, now }) {
    const before = await requireKey(store, params.id);
    match(before.version);
    if (!(await store.adminKeys.revoke(before.id, now))) throw notFound('admin key that could be revoked');
    record({ action: 'admin_key.revoked', details: { admin_key: before.id, before: toView(before, now) } });
  },
});

const loginIntervalMs = 3_600_000;

export const authHandlers = ({ version }: Pick<AdminKeyDeps, 'version'>): HandlersOf<'auth'> => ({
  /** Recorded once an hour for each key: the admin UI asks whenever a page is loaded. */
  async verify({ caller: { actorId: actor, role }, store, record, now }) {
    const since = new Date(now.getTime() - loginIntervalMs);
    if (await store.adminKeys.noteLogin(actor, now, since)) record({ action: 'admin.ui.login', details: { role } });
    return { valid: true, version, actor, role };
  },
});

const endOf = (seconds: number | null, now: Date): Date | undefined =>
  seconds === null ? undefined : new Date(now.getTime() + seconds * 1000);

const requireKey = async ({ adminKeys }: Pick<Repositories, 'adminKeys'>, id: string): Promise<AdminKey> => {
  const key = await adminKeys.find(id);
  if (!key) throw notFound('admin key');
  return key;
};

const toView = (key: AdminKey, now: Date): z.output<typeof AdminKeyView> => ({
  id: key.id,
  label: key.label,
  role: key.role,
  status: adminKeyStatus(key, now),
  created_by: key.createdBy,
  created_at: key.createdAt.toISOString(),
  expires_at: key.expiresAt?.toISOString(),
  last_used_at: key.lastUsedAt?.toISOString(),
  revoked_at: key.revokedAt?.toISOString(),
});
