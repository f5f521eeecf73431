import { entities, UserDeclaration } from '@authserver/admin-api';
import type { User, UserRole } from '@authserver/store';
import type { Handlers } from '../../handlers/handler.ts';
import { createUser } from '../../handlers/users.ts';
import { type Declaration, type Found, type Kind, pageSize, pagesOf, pick } from '../kind.ts';

/** Addresses are compared without regard to case. */
export const emailKey = (email: unknown): string => String(email).trim().toLowerCase();

const query = { dry_run: false };

/** Users are declared without a password: a new one has none until it is set. */
export const userKind = ({ handlers: { user } }: { handlers: Pick<Handlers, 'user'> }): Kind => {
  const { create, update, delete: remove } = entities.user.operations;
  return {
    name: 'user',
    list: 'users',
    schema: UserDeclaration,
    keyOf: ({ email }) => emailKey(email),
    references: () => [],
    optional: ['status'],
    changeable: ['email', 'name', 'status'],
    operations: { create, change: update, delete: remove },
    needsOwner: ({ role }) => role === 'admin',
    deletedFirst: false,

    async find({ users }, { keys, identities }) {
      return (await users.findMany(keys, identities)).map(toFound);
    },

    async *pages({ users }) {
      for await (const rows of pagesOf<User>((last) => users.pageOfLocal(last?.id, pageSize)))
        yield rows.filter(({ email }) => email !== undefined).map(toFound);
    },

    async create(call, { email, name, role, status }) {
      const wanted = { email: String(email), name: String(name), role: role as UserRole, passwordHash: undefined };
      const { id } = await createUser(call, wanted);
      if (status === 'disabled') await user.disable({ ...call, params: { id }, query, body: undefined });
      return { identity: id };
    },

    async change(call, { params: { id = '' } }, wanted, members) {
      const body = pick(
        wanted,
        members.filter((member) => member !== 'status'),
      );
      if (Object.keys(body).length > 0) await user.update({ ...call, params: { id }, query, body });
      if (!members.includes('status')) return;
      await user[wanted.status === 'disabled' ? 'disable' : 'enable']({
        ...call,
        params: { id },
        query,
        body: undefined,
      });
    },

    async delete(call, { params: { id = '' } }, { force }) {
      await user.delete({ ...call, params: { id }, query: { ...query, force }, body: undefined });
    },
  };
};

const toFound = (user: User): Found => ({
  key: emailKey(user.email ?? ''),
  identity: user.id,
  params: { id: user.id },
  declaration: toDeclaration(user),
  refusal:
    user.provider === 'local' ? undefined : 'has an account that lives elsewhere, so it is not for files to declare',
});

const toDeclaration = ({ email, name, role, status }: User): Declaration => ({ email, name, role, status });
