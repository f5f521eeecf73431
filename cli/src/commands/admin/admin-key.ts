import { type AdminClient, adminRoles } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { idFlag, pageFlags, present } from '../../flags.ts';
import { pairs, rows } from '../../output.ts';
import { parseSpan } from '../../span.ts';

type AdminKey = Awaited<ReturnType<AdminClient['adminKey']['get']>>;

const keyId = () => idFlag('admin key');
const labelFlag = { description: 'who or what has the key', helpValue: '<text>' };
const roleFlag = {
  options: adminRoles,
  description: 'viewer looks, operator changes, owner also manages keys and other owners',
};
const endFlag = { description: 'when the key ends, such as 90d from now, or never', helpValue: '<span>' };

/** `never` is null, as the API says it. */
const secondsOf = (span: string | undefined): number | null | undefined => {
  if (span === undefined) return undefined;
  return span === 'never' ? null : parseSpan('--expires-in', span);
};

const summaryOf = ({ id, label, role, status, expires_at, last_used_at }: AdminKey) => ({
  id,
  label,
  role,
  status,
  expires_at: expires_at ?? 'never',
  last_used_at,
});

const list = adminCommand({
  summary: 'list the keys of the admin API, ended ones too',
  examples: ['admin admin-key list'],
  flags: pageFlags(50),
  call: (api, { limit, offset }) => api.adminKey.list({ query: present({ limit, offset }) }),
  show: (keys) => rows(keys, 'no admin keys found', summaryOf),
});

const get = adminCommand({
  summary: 'show a key of the admin API, without the key itself',
  examples: ['admin admin-key get --id <id>'],
  flags: { id: keyId() },
  call: (api, { id }) => api.adminKey.get({ id }),
  show: (key) => [pairs({ ...summaryOf(key), created_by: key.created_by, revoked_at: key.revoked_at })],
});

const create = adminCommand({
  summary: 'make a key of the admin API and show it, this once',
  description: 'Output ends with the line `key=…`; with --json the key is the member `key`.',
  examples: [
    'admin admin-key create --label "Alice" --role operator',
    'admin admin-key create --label "dashboards" --role viewer --expires-in never',
  ],
  flags: {
    label: Flags.string({ ...labelFlag, required: true }),
    role: Flags.option({ ...roleFlag, required: true })(),
    'expires-in': Flags.string({ ...endFlag, description: `${endFlag.description}; 90d when not given` }),
  },
  call: (api, { label, role, 'expires-in': span }) =>
    api.adminKey.create({ body: { label, role, ...present({ expires_in: secondsOf(span) }) } }),
  show: (created) => [`admin key created: ${pairs(summaryOf(created))}`, pairs({ key: created.key })],
  remark: () => 'The key is shown this once; only its hash is kept.',
});

const update = adminCommand({
  summary: 'change label, role or end of a key of the admin API; what is not given stays',
  examples: ['admin admin-key update --id <id> --role viewer', 'admin admin-key update --id <id> --expires-in 30d'],
  flags: {
    id: keyId(),
    label: Flags.string(labelFlag),
    role: Flags.option(roleFlag)(),
    'expires-in': Flags.string(endFlag),
  },
  call: (api, { id, label, role, 'expires-in': span }) =>
    api.adminKey.update({ id, body: present({ label, role, expires_in: secondsOf(span) }) }),
  show: (key) => [`admin key updated: ${pairs(summaryOf(key))}`],
});

const remove = adminCommand({
  summary: 'revoke a key of the admin API, at once and for good',
  examples: ['admin admin-key delete --id <id>'],
  flags: { id: keyId() },
  call: async (api, { id }) => {
    await api.adminKey.delete({ id });
    return { id };
  },
  show: ({ id }) => [`admin key revoked: ${pairs({ id })}`],
});

const whoami = adminCommand({
  summary: 'show whom the admin key in use stands for',
  examples: ['admin whoami'],
  operations: ['adminKey.self'],
  call: (api) => api.adminKey.self(),
  show: ({ actor, role, key }) => [pairs({ actor, role, label: key?.label, expires_at: key?.expires_at })],
});

const verify = adminCommand({
  summary: 'check the admin key in use, as the admin UI does',
  examples: ['admin auth verify'],
  call: (api) => api.auth.verify(),
  show: ({ valid, actor, role, version }) => [pairs({ valid, actor, role, version })],
});

export const adminKeyCommands = {
  'admin:whoami': whoami,
  'admin:auth:verify': verify,
  'admin:admin-key:list': list,
  'admin:admin-key:get': get,
  'admin:admin-key:create': create,
  'admin:admin-key:update': update,
  'admin:admin-key:delete': remove,
};
