import type { Config } from '@authserver/config';
import type { KeyStore } from '@authserver/keys';
import type { Logger } from '@authserver/telemetry';
import { formatUptime } from '../uptime.ts';
import type { HandlersOf } from './handler.ts';

type SystemDeps = {
  config: Config;
  keyStore: KeyStore;
  ping: () => Promise<unknown>;
  logger: Logger;
  version: string;
  startedAt: Date;
};

export const systemHandlers = (deps: SystemDeps): HandlersOf<'system'> => {
  const { config } = deps;

  /** Asks the subsystem itself. Why it does not answer goes to the log, not to the caller. */
  const probe = async (name: 'storage' | 'signing', driver: string, ask: () => Promise<unknown>) => {
    const status = await ask().then(
      () => 'healthy' as const,
      (error) => {
        deps.logger.warn({ subsystem: name, err: error }, 'subsystem is not healthy');
        return 'unhealthy' as const;
      },
    );
    return { name, status, driver };
  };

  return {
    async stats({ store, now }) {
      const lastDay = await store.issuances.countSince(new Date(now.getTime() - 24 * 3600 * 1000));
      const { total: clients = 0 } = await store.clients.list({}, { limit: 1, offset: 0 });
      return {
        clients,
        users: await store.users.count(),
        active_tokens_24h: lastDay.issued - lastDay.revoked,
        revoked_tokens: lastDay.revoked,
        connections: 0,
      };
    },

    async status({ now }) {
      const seconds = Math.max(0, Math.floor((now.getTime() - deps.startedAt.getTime()) / 1000));
      return {
        version: deps.version,
        uptime: formatUptime(seconds),
        uptime_secs: seconds,
        subsystems: [
          await probe('storage', config.storage.driver, deps.ping),
          await probe('signing', config.signing.key_store, () => deps.keyStore.load()),
          { name: 'encryption', status: 'not_configured' },
        ],
      };
    },

    config: async ({ store }) => ({
      issuer: config.server.issuer,
      storage: { driver: config.storage.driver },
      signing: { algorithm: config.signing.algorithm, key_store: config.signing.key_store },
      dcr: { mode: (await store.settings.dcrMode()) ?? config.dcr.mode },
      client_credentials: { enabled: config.client_credentials.enabled },
      dpop: {
        enabled: config.dpop.enabled,
        require: config.dpop.require,
        require_nonce: config.dpop.require_nonce,
      },
      oauth: {
        require_scope: config.oauth.require_scope,
        default_client_scope: config.oauth.default_client_scope ?? '',
      },
    }),
  };
};
