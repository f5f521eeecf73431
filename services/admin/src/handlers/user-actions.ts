import type { Repositories, UserStatus } from '@authserver/store';
import type { HandlersOf } from './handler.ts';
import { conflict } from './refusals.ts';
import { endEverything, requireUser } from './users.ts';

export const userActionHandlers = (): Pick<HandlersOf<'user'>, 'disable' | 'enable' | 'forceLogout'> => ({
  async disable({ params, store, record, match, now }) {
    const change = await setStatus(store, params.id, 'disabled', match);
    const ended = await endEverything(store, params.id, 'user_disabled', now);
    const details = { user: params.id, ...change, ...ended };
    record({ action: 'user.disabled', feed: { kind: 'user', key: params.id }, details });
    return change.after;
  },

  async enable({ params, store, record, match }) {
    const change = await setStatus(store, params.id, 'active', match);
    const details = { user: params.id, ...change };
    record({ action: 'user.enabled', feed: { kind: 'user', key: params.id }, details });
    return change.after;
  },

  async forceLogout({ params, store, record, match, now }) {
    const user = await requireUser(store, params.id);
    match(user.version);
    const ended = await endEverything(store, user.id, 'force_logout', now);
    record({
      action: 'user.force_logout',
      feed: { kind: 'user', key: user.id },
      details: { user: user.id, revoked: ended.revoked_families, ...ended },
    });
    return { user_id: user.id, tokens_revoked: ended.revoked_families };
  },
});

/** @throws {Problem} `not_found`, or `conflict` when the user is in that state already */
const setStatus = async (
  store: Repositories,
  id: string,
  to: UserStatus,
  match: (version: number) => void,
): Promise<{ before: { status: UserStatus }; after: { status: UserStatus } }> => {
  const before = await requireUser(store, id);
  match(before.version);
  const after = await store.users.setStatus(id, to);
  if (!after) throw conflict(`The user is ${before.status} already.`);
  return { before: { status: before.status }, after: { status: after.status } };
};
