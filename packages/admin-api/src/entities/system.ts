import type { Entity } from '../entity.ts';
import * as system from '../views/system.ts';

/** How the server is. */
export const systemEntities = {
  system: {
    title: 'System',
    operations: {
      stats: { method: 'GET', path: '/admin/stats', summary: 'Counts for a dashboard.', returns: system.Stats },
      status: {
        method: 'GET',
        path: '/admin/system/status',
        summary: 'Version, uptime and the health of what this server depends on.',
        returns: system.SystemStatus,
      },
      config: {
        method: 'GET',
        path: '/admin/system/config',
        summary: 'What is configured, without secrets.',
        returns: system.SystemConfig,
      },
    },
  },
} as const satisfies Record<string, Entity>;
