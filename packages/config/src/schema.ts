import { z } from 'zod';
import { admin, rateLimit } from './schema/admin.ts';
import { cimd, clientCredentials, clientSecretPepper, dcr, device } from './schema/clients.ts';
import { dataEncryption } from './schema/data-encryption.ts';
import { changes, nats, redis } from './schema/engines.ts';
import { agents, connect, dpop, oauth, oidc, tokenExchange, xaa } from './schema/oauth.ts';
import { observability } from './schema/observability.ts';
import { purge, retention } from './schema/retention.ts';
import { brokerProviders, resources } from './schema/seed.ts';
import { server } from './schema/server.ts';
import { session } from './schema/session.ts';
import { signing } from './schema/signing.ts';
import { storage } from './schema/storage.ts';

/**
 * Every setting, once: name, type, default, meaning. Types, environment names, `docs/configuration.md` and
 * `docs/config.example.yaml` all come from here. Rules about more than one setting are in `rules.ts`.
 */
export const ConfigSchema = z.strictObject({
  server,
  storage,
  signing,
  dcr,
  cimd,
  session,
  rate_limit: rateLimit,
  admin,
  oauth,
  oidc,
  observability,
  data_encryption: dataEncryption,
  client_credentials: clientCredentials,
  client_secret_pepper: clientSecretPepper,
  device,
  dpop,
  token_exchange: tokenExchange,
  agents,
  connect,
  xaa,
  changes,
  nats,
  redis,
  purge,
  retention,
  resources,
  broker_providers: brokerProviders,
});

/** A configuration as the rest of the code receives it: complete, checked, durations in seconds. */
export type Config = z.infer<typeof ConfigSchema>;

/** A resource to create at boot. */
export type SeedResource = Config['resources'][number];

/** An upstream provider to create at boot. */
export type SeedBrokerProvider = Config['broker_providers'][number];
