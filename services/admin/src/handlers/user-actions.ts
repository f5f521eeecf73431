import type { Repositories, Store, UserStatus } from '@authserver/store';
import type { HandlersOf } from './handler.ts';
import { recordChange } from './record-change.ts';
import { conflict } from './refusals.ts';
import { endEverything, requireUser } from './users.ts';

export const userActionHandlers = ({
  store,
}: {
  store: Store;
}): Pick<HandlersOf<'user'>, 'disable' | 'enable' | 'forceLogout'> => ({
  disable: ({ params, caller, now }) =>
    store.transaction(async (tx) => {
      const change = await setStatus(tx, params.id, 'disabled');
      const ended = await endEverything(tx, params.id, 'user_disabled', now);
      await recordChange(
        tx,
        { caller, now },
        { action: 'user.disabled', kind: 'user', key: params.id, details: { user: params.id, ...change, ...ended } },
      );
      return change.after;
    }),

  enable: ({ params, caller, now }) =>
    store.transaction(async (tx) => {
      const change = await setStatus(tx, params.id, 'active');
      await recordChange(
        tx,
        { caller, now },
        { action: 'user.enabled', kind: 'user', key: params.id, details: { user: params.id, ...change } },
      );
      return change.after;
    }),

  forceLogout: ({ params, caller, now }) =>
    store.transaction(async (tx) => {
      const user = await requireUser(tx, params.id);
      const ended = await endEverything(tx, user.id, 'force_logout', now);
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'user.force_logout',
          kind: 'user',
          key: user.id,
          details: { user: user.id, revoked: ended.revoked_families, ...ended },
        },
      );
      return { user_id: user.id, tokens_revoked: ended.revoked_families };
    }),
});

/** @throws {Problem} `not_found`, or `conflict` when the user is in that state already */
const setStatus = async (
  tx: Repositories,
  id: string,
  to: UserStatus,
): Promise<{ before: { status: UserStatus }; after: { status: UserStatus } }> => {
  const before = await requireUser(tx, id);
  const after = await tx.users.setStatus(id, to);
  if (!after) throw conflict(`The user is ${before.status} already.`);
  return { before: { status: before.status }, after: { status: after.status } };
};
