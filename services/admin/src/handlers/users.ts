import type { UserView } from '@authserver/admin-api';
import { type Repositories, type User, uuidv7 } from '@authserver/store';
import type { z } from 'zod';
import { requireOwner } from '../auth/require-owner.ts';
import { hashPassword } from '../passwords.ts';
import type { Call, HandlersOf } from './handler.ts';
import { ChangedMeanwhile, conflict, invalid, notFound, orConflict } from './refusals.ts';

const emailTaken = () => 'A user with this e-mail address exists already.';

export const userHandlers = (): Pick<HandlersOf<'user'>, 'list' | 'get' | 'create' | 'update' | 'delete'> => ({
  async list({ query: { email, q, status, role, provider, limit, offset, cursor }, store, page }) {
    const filter = { email: email?.trim(), text: q, status, role, provider };
    const found = await store.users.list(filter, { limit, offset, after: cursor });
    page(found);
    return found.rows.map(toView);
  },

  async get({ params, store, etag }) {
    const user = await requireUser(store, params.id);
    etag(user.version);
    return toView(user);
  },

  async create({ body: { email, name, role, password }, ...call }) {
    return createUser(call, { email, name, role, passwordHash: await hashPassword(password) });
  },

  /** A new password ends everything the user holds, whatever else changes with it. */
  async update({ params, body: { email, name, password }, caller, store, record, match, etag, now }) {
    const passwordHash = password === undefined ? undefined : await hashPassword(password);
    const before = await requireChangeable({ store, caller }, params.id);
    match(before.version);
    etag(before.version);
    let after = before;
    if (email !== undefined || name !== undefined) {
      const wanted = { ...before, email: email ?? before.email, name: name ?? before.name };
      const updated = await orConflict(store.users.update(wanted), emailTaken);
      if (!updated) throw new ChangedMeanwhile('user');
      after = updated;
    }
    const change = after === before ? {} : { before: toView(before), after: toView(after) };
    if (passwordHash !== undefined) {
      if (before.provider !== 'local') throw invalid(['password: the account lives elsewhere and has none here']);
      await store.users.setPassword(before.id, passwordHash);
      const ended = await endEverything(store, before.id, 'password_set', now);
      const details = { user: before.id, ...ended, ...change };
      record({ action: 'user.password_set', feed: { kind: 'user', key: before.id }, details });
    } else if (after !== before)
      record({
        action: 'user.updated',
        feed: { kind: 'user', key: before.id },
        details: { user: before.id, ...change },
      });
    etag(after.version);
    return toView(after);
  },

  async delete({ params, query: { force }, caller, store, record, match, now }) {
    const before = await requireChangeable({ store, caller }, params.id);
    match(before.version);
    const ended = await endEverything(store, before.id, 'user_deleted', now);
    // The transaction is undone with it: what was just ended lives on.
    if (!force && ended.revoked_families > 0)
      throw conflict(`The user has ${ended.revoked_families} live token families; delete with force=true to end them.`);
    await store.users.delete(before.id);
    record({
      action: 'user.deleted',
      feed: { kind: 'user', key: before.id },
      details: { user: before.id, force, ...ended, before: toView(before) },
    });
  },
});

/** A declared user has no password: it is set by an operator, or never, when the account lives elsewhere. */
export const createUser = async (
  { caller, store, record, etag, now }: Pick<Call, 'caller' | 'store' | 'record' | 'etag' | 'now'>,
  user: Pick<User, 'name' | 'role'> & { email: string; passwordHash: string | undefined },
): Promise<z.output<typeof UserView>> => {
  if (user.role === 'admin') requireOwner(caller, 'Creating a user with the role admin');
  const created = await orConflict(store.users.insert({ id: uuidv7(now), ...user }), emailTaken);
  record({
    action: 'user.created',
    feed: { kind: 'user', key: created.id },
    details: { user: created.id, after: toView(created) },
  });
  etag(created.version);
  return toView(created);
};

export const requireUser = async ({ users }: Pick<Repositories, 'users'>, id: string): Promise<User> => {
  const user = await users.find(id);
  if (!user) throw notFound('user');
  return user;
};

/**
 * A user as somebody who may change them finds them: users with the role admin are changed by owners only.
 *
 * @throws {Problem} `not_found`, `forbidden`
 */
export const requireChangeable = async (
  { store, caller }: Pick<Call, 'store' | 'caller'>,
  id: string,
): Promise<User> => {
  const user = await requireUser(store, id);
  if (user.role === 'admin') requireOwner(caller, 'Changing a user with the role admin');
  return user;
};

/** Signs the user out everywhere: browser sessions, refresh token families, and every access token issued up to now. */
export const endEverything = async (
  store: Repositories,
  userId: string,
  reason: string,
  now: Date,
): Promise<{ ended_sessions: number; revoked_families: number }> => {
  await store.users.moveEpoch(userId); // first: from here on nothing more can be redeemed
  const sessions = await store.browserSessions.endAllOfUser(userId, now);
  const families = await store.tokenFamilies.revokeAll({ userId }, reason, now);
  await store.revocationMarkers.set('user', userId, now);
  return { ended_sessions: sessions, revoked_families: families };
};

const toView = (user: User): z.output<typeof UserView> => ({
  id: user.id,
  email: user.email ?? null,
  name: user.name,
  role: user.role,
  status: user.status,
  provider: user.provider,
  provider_issuer: user.federated?.issuer ?? null,
  provider_sub: user.federated?.subject ?? null,
  created_at: user.createdAt.toISOString(),
});
