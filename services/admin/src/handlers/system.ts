import { type ProbeDeps, probeSubsystems } from '../probes.ts';
import { systemConfig } from '../system-config.ts';
import { formatUptime } from '../uptime.ts';
import type { HandlersOf } from './handler.ts';

type SystemDeps = ProbeDeps & { version: string; startedAt: Date };

export const systemHandlers = (deps: SystemDeps): HandlersOf<'system'> => {
  const { config } = deps;
  return {
    async stats({ store, now }) {
      const yesterday = new Date(now.getTime() - 24 * 3600 * 1000);
      // The ended ones first: what is issued meanwhile must not make the rest negative.
      const ended = await store.issuances.countEndedSince(yesterday);
      const issued = await store.issuances.countSince(yesterday);
      return {
        clients: await store.clients.count(),
        users: await store.users.count(),
        active_tokens_24h: issued - ended,
        revoked_tokens: ended,
        connections: await store.brokerGrants.countLive(),
      };
    },

    async status({ now }) {
      const seconds = Math.max(0, Math.floor((now.getTime() - deps.startedAt.getTime()) / 1000));
      return {
        version: deps.version,
        uptime: formatUptime(seconds),
        uptime_secs: seconds,
        subsystems: await probeSubsystems(deps),
      };
    },

    config: async ({ store }) => systemConfig(config, (await store.settings.dcrMode()) ?? config.dcr.mode),
  };
};
