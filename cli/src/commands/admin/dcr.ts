import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';

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

export const dcrCommands = { 'admin:dcr:get': get, 'admin:dcr:set': set };
