import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { CommandFailure, exitCodes } from '../../failure.ts';
import { forceFlag, idFlag, present } from '../../flags.ts';
import { listCommand } from '../../list-command.ts';
import { pairs } from '../../output.ts';
import { passwordFlags, readPassword } from '../../password.ts';

type User = Awaited<ReturnType<AdminClient['user']['get']>>;

const userId = () => idFlag('user', { env: 'AUTHSERVER_USER_ID' });
const emailFlag = { description: 'address the user signs in with', helpValue: '<email>' };
const nameFlag = Flags.string({ description: 'display name', env: 'AUTHSERVER_USER_NAME', helpValue: '<name>' });
const summaryOf = ({ id, email, role, status }: User) => ({ id, email: email ?? '', role, status });

const list = listCommand({
  summary: 'list users',
  examples: ['admin user list', 'admin user list --email you@example.com', 'admin user list --q ada --status active'],
  operations: ['user.list'],
  flags: {
    q: Flags.string({ description: 'part of the address or the name, in any case', helpValue: '<text>' }),
    email: Flags.string({ description: 'only the user with this address', helpValue: '<email>' }),
    status: Flags.option({ options: ['active', 'disabled'] as const, description: 'only these' })(),
    role: Flags.option({ options: ['admin', 'user'] as const, description: 'only those with this role' })(),
    provider: Flags.string({ description: 'only those whose account lives there; local is here', helpValue: '<name>' }),
  },
  ...{ limit: 1000, most: 10_000, none: 'no users found' },
  list: (api) => api.user.list,
  input: ({ q, email, status, role, provider }) => ({ query: present({ q, email, status, role, provider }) }),
  items: (users) => users,
  values: summaryOf,
});

const tokens = listCommand({
  summary: 'list the tokens of a user, newest first',
  examples: ['admin user tokens --id <user_id>'],
  operations: ['user.tokens'],
  flags: { id: userId() },
  ...{ limit: 50, most: 1000, none: 'no tokens found' },
  list: (api) => api.user.tokens,
  input: ({ id }) => ({ id }),
  items: (answer) => answer.tokens,
  values: (token) => token,
  idOf: ({ jti }) => jti,
});

const get = adminCommand({
  summary: 'show a user',
  examples: ['admin user get --id <user_id>', 'admin user get --email you@example.com'],
  operations: ['user.get', 'user.list'],
  flags: {
    id: Flags.string({ description: 'id of the user', helpValue: '<id>', exactlyOne: ['id', 'email'] }),
    email: Flags.string(emailFlag),
  },
  call: async (api, { id, email }) => {
    if (id !== undefined) return api.user.get({ id });
    const [user] = await api.user.list({ query: present({ email }) });
    if (!user) throw new CommandFailure('not_found', exitCodes.notFound, 'there is no user with this address');
    return user;
  },
  show: (user) => [pairs(user)],
});

const create = adminCommand({
  summary: 'create a user who can sign in',
  description:
    'With a configuration and no admin URL it needs no running server, so it can make the first user. The password comes from standard input, from --password, or is asked for at a terminal.',
  examples: [
    'admin user create --email you@example.com --name "You" --role admin',
    'admin user create --config /etc/authserver/config.yaml --email admin@example.com --password-stdin < password.txt',
  ],
  flags: {
    email: Flags.string({ ...emailFlag, env: 'AUTHSERVER_USER_EMAIL', required: true }),
    ...passwordFlags,
    name: nameFlag,
    role: Flags.option({
      options: ['admin', 'user'] as const,
      description: 'role of the user; the admin API goes by its key, not by this',
      env: 'AUTHSERVER_USER_ROLE',
      default: 'user',
    })(),
  },
  call: async (api, flags) => {
    const password = await readPassword(flags);
    return api.user.create({
      body: { email: flags.email, password, role: flags.role, ...present({ name: flags.name }) },
    });
  },
  show: ({ id, email, role }) => [`user created: ${pairs({ id, email, role })}`],
});

const update = adminCommand({
  summary: 'change a user; what is not given stays',
  examples: ['admin user update --id <user_id> --email new@example.com'],
  flags: {
    id: userId(),
    email: Flags.string({ ...emailFlag, env: 'AUTHSERVER_USER_EMAIL' }),
    name: nameFlag,
  },
  call: (api, { id, email, name }) => api.user.update({ id, body: present({ email, name }) }),
  show: ({ id, email, name }) => [`user updated: ${pairs({ id, email, name })}`],
});

const setPassword = adminCommand({
  summary: 'set a new password and end all sessions and tokens of a user',
  examples: ['admin user set-password --id <user_id> --password-stdin < password.txt'],
  operations: ['user.update'],
  flags: { id: userId(), ...passwordFlags },
  call: async (api, flags) => api.user.update({ id: flags.id, body: { password: await readPassword(flags) } }),
  show: ({ id }) => [`password set: ${pairs({ id })}`],
});

const remove = adminCommand({
  summary: 'delete a user',
  examples: ['admin user delete --id <user_id> --force'],
  flags: { id: userId(), ...forceFlag() },
  call: async (api, { id, force }) => {
    await api.user.delete({ id, query: force ? { force: 'true' } : {} });
    return { id };
  },
  show: ({ id }) => [`user deleted: ${pairs({ id })}`],
});

const forceLogout = adminCommand({
  summary: 'end all sessions and tokens of a user',
  examples: ['admin user force-logout --id <user_id>'],
  flags: { id: userId() },
  call: (api, { id }) => api.user.forceLogout({ id }),
  show: (result) => [`user logged out: ${pairs(result)}`],
});

const stateChange = (verb: 'disable' | 'enable', summary: string) =>
  adminCommand({
    summary,
    examples: [`admin user ${verb} --id <user_id>`],
    flags: { id: userId() },
    call: (api, { id }) => api.user[verb]({ id }),
    show: (_, { id }) => [`user ${verb}d: ${pairs({ id })}`],
  });

export const userCommands = {
  'admin:user:list': list,
  'admin:user:tokens': tokens,
  'admin:user:get': get,
  'admin:user:create': create,
  'admin:user:update': update,
  'admin:user:set-password': setPassword,
  'admin:user:delete': remove,
  'admin:user:force-logout': forceLogout,
  'admin:user:disable': stateChange('disable', 'disable a user and end all sessions and tokens'),
  'admin:user:enable': stateChange('enable', 'enable a disabled user'),
};
