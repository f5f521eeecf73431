import type { Config } from './schema.ts';

export type FeatureState = 'enabled' | 'disabled';

/** What this process offers, for the line it logs when it starts. `dcr` is as an operator has set it last. */
export const featureStates = (config: Config, dcrMode: Config['dcr']['mode']): Record<string, FeatureState> => {
  const { oauth, data_encryption, resources, xaa } = config;
  const offered: Record<string, boolean> = {
    client_credentials: config.client_credentials.enabled,
    dpop: config.dpop.enabled,
    token_exchange: config.token_exchange.enabled,
    agents_in_jwks: config.agents.enable_jwks_listing,
    device: config.device.enabled,
    dcr: dcrMode !== 'admin_only',
    cimd: config.cimd.enabled,
    default_client_scope: oauth.default_client_scope !== undefined,
    seeded_resources: resources.length > 0,
    data_encryption: data_encryption.driver !== undefined,
    xaa: xaa.enabled,
    oidc: config.oidc.enabled,
    xaa_vouching: xaa.enabled && xaa.vouch_for.length > 0,
    redis: config.redis.url !== undefined,
    nats: config.nats.url.length > 0,
    rate_limit: config.rate_limit.enabled,
    admin: config.admin.enabled,
  };
  return Object.fromEntries(Object.entries(offered).map(([name, is]) => [name, is ? 'enabled' : 'disabled']));
};
