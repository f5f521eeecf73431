import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { pairs, rows } from '../../output.ts';

const list = adminCommand({
  summary: 'list signing keys: next, current and retiring ones',
  examples: ['admin key list'],
  call: (api) => api.key.list(),
  show: ({ keys }) => rows(keys, 'no signing keys found', ({ kid, alg, use, status }) => ({ kid, alg, use, status })),
});

const rotate = adminCommand({
  summary: 'sign with the next key from now on',
  examples: ['admin key rotate', 'admin key rotate --force'],
  flags: {
    force: Flags.boolean({ description: 'rotate although verifiers may not have fetched the next key yet' }),
  },
  call: (api, { force }) => api.key.rotate(force ? { query: { force: 'true' } } : {}),
  show: (key) => [`key rotated: ${pairs(key)}`],
});

export const keyCommands = { 'admin:key:list': list, 'admin:key:rotate': rotate };
