import type { UserView } from '@authserver/admin-api';
import { type Repositories, type Store, type User, uuidv7 } from '@authserver/store';
import type { z } from 'zod';
import { hashPassword } from '../passwords.ts';
import type { HandlersOf } from './handler.ts';
import { recordChange } from './record-change.ts';
import { changedMeanwhile, conflict, invalid, notFound, orConflict } from './refusals.ts';

const emailTaken = () => 'A user with this e-mail address exists already.';

export const userHandlers = ({
  store,
}: {
  store: Store;
}): Pick<HandlersOf<'user'>, 'list' | 'get' | 'create' | 'update' | 'delete'> => ({
  async list({ query: { email, limit, offset }, total }) {
    const found = await store.users.list(email === undefined ? {} : { email: email.trim() }, { limit, offset });
    total(found.total);
    return found.rows.map(toView);
  },

  get: async ({ params }) => toView(await requireUser(store, params.id)),

  async create({ body: { email, name, role, password }, caller, now }) {
    const passwordHash = await hashPassword(password);
    const inserting = store.transaction(async (tx) => {
      const user = await tx.users.insert({ id: uuidv7(now), email, name, role, passwordHash });
      await recordChange(
        tx,
        { caller, now },
        { action: 'user.created', kind: 'user', key: user.id, details: { user: user.id, after: toView(user) } },
      );
      return user;
    });
    return toView(await orConflict(inserting, emailTaken));
  },

  async update({ params, body: { email, name, password }, caller, now }) {
    const passwordHash = password === undefined ? undefined : await hashPassword(password);
    const updating = store.transaction(async (tx) => {
      const before = await requireUser(tx, params.id);
      let after = before;
      if (email !== undefined || name !== undefined) {
        const updated = await tx.users.update({ ...before, email: email ?? before.email, name: name ?? before.name });
        if (!updated) throw changedMeanwhile('user');
        after = updated;
        await tx.auditEvents.insert({
          ...caller,
          action: 'user.updated',
          at: now,
          details: { user: after.id, before: toView(before), after: toView(after) },
        });
      }
      if (passwordHash !== undefined) {
        if (before.provider !== 'local') throw invalid(['password: the account lives elsewhere and has none here']);
        await tx.users.setPassword(before.id, passwordHash);
        const ended = await endEverything(tx, before.id, 'password_set', now);
        await tx.auditEvents.insert({
          ...caller,
          action: 'user.password_set',
          at: now,
          details: { user: before.id, ...ended },
        });
      }
      if (after !== before || passwordHash !== undefined) await tx.changes.record('user', before.id);
      return after;
    });
    return toView(await orConflict(updating, emailTaken));
  },

  delete: ({ params, query: { force }, caller, now }) =>
    store.transaction(async (tx) => {
      const before = await requireUser(tx, params.id);
      const ended = await endEverything(tx, before.id, 'user_deleted', now);
      // Thrown inside the transaction: what was just ended lives on.
      if (!force && ended.revoked_families > 0)
        throw conflict(
          `The user has ${ended.revoked_families} live token families; delete with force=true to end them.`,
        );
      await tx.users.delete(before.id);
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'user.deleted',
          kind: 'user',
          key: before.id,
          details: { user: before.id, force, ...ended, before: toView(before) },
        },
      );
    }),
});

export const requireUser = async ({ users }: Pick<Repositories, 'users'>, id: string): Promise<User> => {
  const user = await users.find(id);
  if (!user) throw notFound('user');
  return user;
};

/** Signs the user out everywhere: browser sessions, refresh token families, and every access token issued up to now. */
export const endEverything = async (
  tx: Repositories,
  userId: string,
  reason: string,
  now: Date,
): Promise<{ ended_sessions: number; revoked_families: number }> => {
  await tx.users.moveEpoch(userId); // first: from here on nothing more can be redeemed
  const sessions = await tx.browserSessions.endAllOfUser(userId, now);
  const families = await tx.tokenFamilies.revokeAll({ userId }, reason, now);
  await tx.revocationMarkers.set('user', userId, now);
  return { ended_sessions: sessions, revoked_families: families };
};

const toView = (user: User): z.output<typeof UserView> => ({
  id: user.id,
  email: user.email ?? null,
  name: user.name,
  role: user.role,
  status: user.status,
  provider: user.provider,
  created_at: user.createdAt.toISOString(),
});
