import type { Config } from '@authserver/config';
import type { ChangeFeed } from '@authserver/events';
import type { Keyring } from '@authserver/keys';
import type { GrantType } from '@authserver/oauth';
import { createIssuanceWriter, createStore, type Database } from '@authserver/store';
import type { Logger, Metrics } from '@authserver/telemetry';
import { createBrowser } from './authorization/browser.ts';
import { createCodes } from './authorization/codes.ts';
import { createPendingRequests } from './authorization/pending.ts';
import { createClientAuthenticator } from './clients/authenticate.ts';
import { authorizationCode } from './grants/authorization-code.ts';
import { clientCredentials } from './grants/client-credentials.ts';
import type { Grant } from './grants/grant.ts';
import { refreshToken } from './grants/refresh-token.ts';
import { createLookups } from './lookups.ts';
import { createPasswordChecker } from './passwords.ts';
import { createSecrets } from './secrets.ts';
import type { Clock } from './time.ts';
import { createTokenIssuer } from './tokens/issuer.ts';
import { keepReloading } from './tokens/key-reload.ts';
import { createReplays } from './tokens/replays.ts';
import { createOwnTokenVerifier } from './tokens/verify.ts';

export type TokenPlaneOptions = {
  config: Config;
  /** `session.secret`, configured or generated. */
  sessionSecret: string;
  database: Database;
  keyring: Keyring;
  feed: ChangeFeed;
  logger: Logger;
  metrics: Metrics;
  clock: Clock;
  version: string;
  /** Shown on the start page of a localhost issuer. */
  steps?: readonly { title: string; command: string }[];
  draining?: () => boolean;
};

export type TokenPlane = Awaited<ReturnType<typeof createTokenPlane>>;

/** The composition root of the data plane: the only place that constructs. */
export const createTokenPlane = async (options: TokenPlaneOptions) => {
  const { config, keyring, clock, metrics } = options;
  const { issuer } = config.server;
  const store = createStore(options.database);
  const lookups = createLookups(store, config, options.feed);
  const secrets = createSecrets(options.sessionSecret);
  const replays = createReplays(store, metrics);
  const issuances = createIssuanceWriter(options.database);
  const reloadKeys = keepReloading(keyring, options.logger);
  options.feed.subscribe('signing_key', reloadKeys);
  options.feed.onReset(reloadKeys);

  const shared = { store, issuances, lookups, replays, secrets, config };
  const grants: Grant[] = [
    authorizationCode(shared),
    refreshToken(shared),
    ...(config.client_credentials.enabled ? [clientCredentials(shared)] : []),
  ];

  return {
    ...options,
    reloadKeys,
    issuer,
    basePath: new URL(issuer).pathname.replace(/\/$/, ''),
    steps: options.steps ?? [],
    draining: options.draining ?? (() => false),
    ping: () => options.database.query('ping', 'select 1'),
    store,
    lookups,
    resources: () => lookups.resources(),
    findClient: (clientId: string) => lookups.client(clientId),
    requireScope: config.oauth.require_scope,
    grants,
    enabledGrants: grants.map(({ type }): GrantType => type),
    clients: createClientAuthenticator({
      findClient: (clientId) => lookups.client(clientId),
      clientSecretPepper: config.client_secret_pepper,
      now: () => clock.now(),
    }),
    tokenIssuer: createTokenIssuer({ issuer, keyring, metrics }),
    verify: createOwnTokenVerifier({ issuer, keyring }),
    browser: createBrowser({ store, secrets, clock, config }),
    codes: createCodes(config.oauth.code_ttl),
    pending: createPendingRequests(secrets, clock, config.oauth.state_max_age),
    passwords: await createPasswordChecker(),
  };
};
