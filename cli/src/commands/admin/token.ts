import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { present } from '../../flags.ts';
import { listCommand } from '../../list-command.ts';
import { pairs } from '../../output.ts';
import { unknownAmong } from '../../unknown-names.ts';

const list = listCommand({
  summary: 'list refresh token families, and the live tokens that belong to none, newest first',
  examples: ['admin token list', 'admin token list --client <client_id>', 'admin token list --user <user_id> --all'],
  operations: ['token.list', 'client.get', 'user.get'],
  flags: {
    client: Flags.string({ description: 'only those of this client', helpValue: '<id>' }),
    user: Flags.string({ description: 'only those of this user', helpValue: '<id>' }),
  },
  ...{ limit: 50, most: 1000, none: 'no tokens found' },
  list: (api) => api.token.list,
  input: ({ client, user }) => ({ query: present({ client_id: client, user_id: user }) }),
  items: ({ tokens }) => tokens,
  values: (token) => token,
  idOf: ({ jti }) => jti,
  whyEmpty: unknownAmong,
});

const revoke = adminCommand({
  summary: 'revoke a token family with all its tokens, or one access token by its jti',
  examples: ['admin token revoke --jti <jti>'],
  flags: {
    jti: Flags.string({
      description: 'what `token list` shows as jti, or the jti of any access token',
      helpValue: '<jti>',
      required: true,
    }),
  },
  call: async (api, { jti }) => {
    await api.token.revoke({ jti });
    return { jti };
  },
  show: ({ jti }) => [`token revoked: ${pairs({ jti })}`],
});

export const tokenCommands = {
  'admin:token:list': list,
  'admin:token:revoke': revoke,
};
