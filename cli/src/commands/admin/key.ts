import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { present } from '../../flags.ts';
import { pairs, rows } from '../../output.ts';

const reason = Flags.string({ description: 'why, for the audit trail', helpValue: '<text>' });

const list = adminCommand({
  summary: 'list signing keys: next, current and retiring ones, with their times',
  examples: ['admin key list'],
  call: (api) => api.key.list(),
  show: ({ keys }) => rows(keys, 'no signing keys found', (key) => key),
  remark: ({ algorithm_change: change }) =>
    change && `${change.to} signs after ${change.rotations} more rotation${change.rotations === 1 ? '' : 's'}.`,
});

const rotate = adminCommand({
  summary: 'sign with the next key from now on',
  examples: ['admin key rotate', 'admin key rotate --force --reason "the key leaked"'],
  flags: {
    force: Flags.boolean({ description: 'rotate although verifiers may not have fetched the next key yet' }),
    reason,
  },
  call: (api, { force, reason }) =>
    api.key.rotate(force || reason !== undefined ? { body: { force, ...present({ reason }) } } : {}),
  show: ({ kid, alg }) => [`key rotated: ${pairs({ kid, alg })}`],
  remark: ({ kid, next, previous }) =>
    [
      `${kid} signs now.`,
      ...(next ? [`${next.kid} is published and signs after the next rotation, from ${next.signs_from} on.`] : []),
      ...(previous ? [`${previous.kid} is kept until ${previous.gone_after} for the tokens it signed.`] : []),
    ].join(' '),
});

const retire = adminCommand({
  summary: 'retire a replaced key before its time, as after a leak; rotate first, when it signs',
  examples: ['admin key retire --kid <kid>', 'admin key retire --kid <kid> --force --reason "it leaked"'],
  flags: {
    kid: Flags.string({ description: 'id of the key, from admin key list', helpValue: '<kid>', required: true }),
    force: Flags.boolean({ description: 'retire it although tokens it signed may still live: they are refused' }),
    reason,
  },
  call: (api, { kid, force, reason }) =>
    api.key.retire({ kid, ...(force || reason !== undefined ? { body: { force, ...present({ reason }) } } : {}) }),
  show: ({ kid }) => [`key retired: ${pairs({ kid })}`],
});

export const keyCommands = { 'admin:key:list': list, 'admin:key:rotate': rotate, 'admin:key:retire': retire };
