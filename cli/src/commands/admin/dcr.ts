import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { idFlag, pageFlags, present } from '../../flags.ts';
import { pairs, rows } from '../../output.ts';
import { parseSpan } from '../../span.ts';

const get = adminCommand({
  summary: 'show who may register a client',
  examples: ['admin dcr get'],
  call: (api) => api.dcr.get(),
  show: ({ mode }) => [`DCR mode: ${mode}`],
});

const set = adminCommand({
  summary: 'change who may register a client; takes effect at once and survives a restart',
  examples: ['admin dcr set --mode admin_only'],
  flags: {
    mode: Flags.option({
      options: ['open', 'approved_redirects', 'admin_only'] as const,
      description: 'anyone; whoever uses an approved redirect URI; nobody but the admin API',
      required: true,
    })(),
  },
  call: (api, { mode }) => api.dcr.set({ body: { mode } }),
  show: ({ mode }) => [`DCR mode set to: ${mode}`],
});

type Token = Awaited<ReturnType<AdminClient['initialAccessToken']['list']>>[number];

const summaryOf = ({ id, label, status, uses, max_uses, expires_at }: Token) => ({
  id,
  label,
  status,
  uses: `${uses}/${max_uses}`,
  expires_at,
});

const createToken = adminCommand({
  summary: 'make a token that lets its bearer register clients, and show it, this once',
  examples: [
    'admin dcr token create --label "Alice, laptop"',
    'admin dcr token create --label "build farm" --max-uses 50 --expires-in 30d',
  ],
  operations: ['initialAccessToken.create'],
  flags: {
    label: Flags.string({ description: 'whom it is for', helpValue: '<text>', required: true }),
    'max-uses': Flags.integer({ description: 'clients it may register; 1 when not given', min: 1, helpValue: '<n>' }),
    'expires-in': Flags.string({ description: 'how long it can be used; 7d when not given', helpValue: '<span>' }),
  },
  call: (api, { label, 'max-uses': max_uses, 'expires-in': span }) => {
    const expires_in = span === undefined ? undefined : parseSpan('--expires-in', span);
    return api.initialAccessToken.create({ body: { label, ...present({ max_uses, expires_in }) } });
  },
  show: (token) => [`token created: ${pairs(summaryOf(token))}`, pairs({ token: token.token })],
  remark: () => 'The token is shown this once; only its hash is kept.',
});

const listTokens = adminCommand({
  summary: 'list the tokens that let their bearers register clients',
  examples: ['admin dcr token list'],
  operations: ['initialAccessToken.list'],
  flags: pageFlags(100),
  call: (api, { limit, offset }) => api.initialAccessToken.list({ query: present({ limit, offset }) }),
  show: (tokens) => rows(tokens, 'no tokens found', summaryOf),
});

const revokeToken = adminCommand({
  summary: 'revoke a token; the clients it registered stay',
  examples: ['admin dcr token revoke --id <id>'],
  operations: ['initialAccessToken.delete'],
  flags: { id: idFlag('token') },
  call: async (api, { id }) => {
    await api.initialAccessToken.delete({ id });
    return { id };
  },
  show: ({ id }) => [`token revoked: ${pairs({ id })}`],
});

export const dcrCommands = {
  'admin:dcr:get': get,
  'admin:dcr:set': set,
  'admin:dcr:token:create': createToken,
  'admin:dcr:token:list': listTokens,
  'admin:dcr:token:revoke': revokeToken,
};
