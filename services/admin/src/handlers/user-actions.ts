import type { UserStatus } from '@authserver/store';
import type { Call, HandlersOf } from './handler.ts';
import { conflict } from './refusals.ts';
import { endEverything, requireChangeable, requireUser } from './users.ts';

export const userActionHandlers = (): Pick<HandlersOf<'user'>, 'disable' | 'enable' | 'forceLogout'> => ({
  async disable({ params, caller, store, record, match, now }) {
    const change = await setStatus({ store, caller, match }, params.id, 'disabled');
    const ended = await endEverything(store, params.id, 'user_disabled', now);
    const details = { user: params.id, ...change, ...ended };
    record({ action: 'user.disabled', feed: { kind: 'user', key: params.id }, details });
    return change.after;
  },

  async enable({ params, caller, store, record, match }) {
    const change = await setStatus({ store, caller, match }, params.id, 'active');
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

/** @throws {Problem} `not_found`, `forbidden`, or `conflict` when the user is in that state already */
const setStatus = async (
  { store, caller, match }: Pick<Call, 'store' | 'caller' | 'match'>,
  id: string,
  to: UserStatus,
): Promise<{ before: { status: UserStatus }; after: { status: UserStatus } }> => {
  const before = await requireChangeable({ store, caller }, id);
  match(before.version);
  const after = await store.users.setStatus(id, to);
  if (!after) throw conflict(`The user is ${before.status} already.`);
  return { before: { status: before.status }, after: { status: after.status } };
};
