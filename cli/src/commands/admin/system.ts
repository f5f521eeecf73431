import { adminCommand } from '../../admin-command.ts';
import { pairs } from '../../output.ts';

const stats = adminCommand({
  summary: 'show counts of clients, users and tokens',
  examples: ['admin stats'],
  operations: ['system.stats'],
  call: (api) => api.system.stats(),
  show: (counts) => [pairs(counts)],
});

const status = adminCommand({
  summary: 'show version, uptime and the health of what the server depends on',
  examples: ['admin system status'],
  call: (api) => api.system.status(),
  show: ({ subsystems, ...server }) => [
    pairs(server),
    ...subsystems.map(({ name, status, driver, detail }) => pairs({ subsystem: name, status, driver, detail })),
  ],
});

const config = adminCommand({
  summary: 'show what is configured, without secrets',
  examples: ['admin system config', 'admin system config --json'],
  call: (api) => api.system.config(),
  show: ({ notices, ...sections }) => [
    ...Object.entries(sections).map(([section, value]) =>
      typeof value === 'object' ? `${section}: ${pairs(value)}` : pairs({ [section]: value }),
    ),
    ...notices.map((notice) => `notice: ${pairs(notice)}`),
  ],
});

export const systemCommands = {
  'admin:stats': stats,
  'admin:system:status': status,
  'admin:system:config': config,
};
