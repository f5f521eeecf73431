import { adminCommand } from '../../admin-command.ts';
import { exitCodes } from '../../failure.ts';
import { follow } from '../../follow.ts';
import { pairs, rows } from '../../output.ts';

const status = adminCommand({
  summary: 'show what is encrypted in the database, and with which keys',
  examples: ['admin crypto status', 'admin crypto status --json'],
  call: (api) => api.crypto.status(),
  show: ({ values }) => rows(values, 'nothing is encrypted', (value) => value),
  remark: ({ to_reencrypt: left }) => (left > 0 ? `${left} values wait for admin crypto reencrypt` : undefined),
});

const reencrypt = adminCommand({
  summary: 'encrypt anew what another key than the one in use encrypted',
  description:
    'Runs beside the traffic, in small parts. It can be broken off and begun again: what was done is done, and a value that somebody else wrote meanwhile is left alone. Ends with 1 when something is left.',
  examples: ['admin crypto reencrypt --dry-run', 'admin crypto reencrypt'],
  async call(api, _flags, { progress }) {
    const bar = follow('encrypting', progress);
    const result = await api.crypto.reencrypt({ onProgress: bar.onProgress }).finally(bar.done);
    if (result.left > 0) process.exitCode = exitCodes.failure;
    return result;
  },
  show: ({ unreadable_owners: _, ...result }) => [pairs(result)],
  remark: ({ unreadable, unreadable_owners: owners }) =>
    unreadable > 0 ? `no configured key opens ${unreadable} values, such as those of ${owners.join(', ')}` : undefined,
});

export const cryptoCommands = {
  'admin:crypto:status': status,
  'admin:crypto:reencrypt': reencrypt,
};
