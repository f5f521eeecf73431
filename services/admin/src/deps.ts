import { changeFeedCheck, databaseCheck, fetchInSpan, migrationsCheck, signingCheck } from '@authserver/boot';
import { type Config, isLocalhostIssuer } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';
import type { FeedStatus } from '@authserver/events';
import { type Check, createReadiness } from '@authserver/http';
import { createIdpKeys } from '@authserver/idp';
import type { Keyring, KeyStore } from '@authserver/keys';
import { createOutboundClient, type Resolve } from '@authserver/outbound';
import { createStore, type Database } from '@authserver/store';
import type { Logger, Metrics, OutboundPurpose, Tracing } from '@authserver/telemetry';
import { createFailedKeys } from './auth/failed-keys.ts';
import type { GuardDeps } from './auth/guard.ts';
import { createKeyUse } from './auth/key-use.ts';
import { declarableKinds } from './configuration/kinds.ts';
import { adminKeyHandlers, authHandlers } from './handlers/admin-keys.ts';
import { auditHandlers } from './handlers/audit.ts';
import { clientActionHandlers } from './handlers/client-actions.ts';
import { clientHandlers } from './handlers/clients.ts';
import { configurationHandlers } from './handlers/configuration.ts';
import { cryptoHandlers } from './handlers/crypto.ts';
import { dcrHandlers } from './handlers/dcr.ts';
import { exchangeHandlers } from './handlers/exchange.ts';
import { onlyIf } from './handlers/feature.ts';
import { frontingHandlers } from './handlers/fronting.ts';
import { grantHandlers } from './handlers/grants.ts';
import type { Handlers } from './handlers/handler.ts';
import { idpHandlers } from './handlers/idps.ts';
import { initialAccessTokenHandlers } from './handlers/initial-access-tokens.ts';
import { issuanceHandlers } from './handlers/issuances.ts';
import { keyHandlers } from './handlers/keys.ts';
import { policyHandlers } from './handlers/policies.ts';
import { providerHandlers } from './handlers/providers.ts';
import { resourceHandlers } from './handlers/resources.ts';
import { subjectMappingHandlers } from './handlers/subject-mappings.ts';
import { systemHandlers } from './handlers/system.ts';
import { tokenHandlers, userTokenHandlers } from './handlers/tokens.ts';
import { traceHandlers } from './handlers/trace.ts';
import { userActionHandlers } from './handlers/user-actions.ts';
import { userHandlers } from './handlers/users.ts';
import { xaaPolicyHandlers } from './handlers/xaa-policies.ts';

export type AdminPlaneOptions = {
  config: Config;
  database: Database;
  keyStore: KeyStore;
  /** How secrets in the database are encrypted; undefined when nothing is configured. */
  cipher: DataCipher | undefined;
  /** Reloaded after a rotation here; the token plane in the same process may share it. */
  keyring: Keyring;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
  clock: { now(): Date };
  version: string;
  /** `admin.api_key`, configured or generated. Without one only keys that are in the database are let in. */
  apiKey: string | undefined;
  /** Who the audit trail says it was; `cli` when the CLI runs this application in its own process. */
  actor?: string;
  draining?: () => boolean;
  /** Told after a change is committed, so that nobody has to wait for a channel to say so. */
  committed?: () => void;
  /** How far this process follows what other control planes change. */
  feedStatus?: (() => FeedStatus) | undefined;
  /** What else this process stands on: the data plane, where it serves that as well. */
  moreChecks?: (() => readonly Check[]) | undefined;
  /** How the hosts of identity providers are found; by the name servers of the system unless said. */
  resolveHost?: Resolve | undefined;
};

export type AdminPlane = ReturnType<typeof createAdminPlane>;

/** The composition root of the control plane: the only place that constructs. */
export const createAdminPlane = (options: AdminPlaneOptions) => {
  const { config, database, metrics, clock } = options;
  const store = createStore(database);
  const ping = () => database.query('ping', 'select 1');

  // What identity providers say. An operator named them, so a name may lead into the operator's own network if told so.
  const isLocal = isLocalhostIssuer(config.server.issuer);
  const outboundPolicy = { allowHttp: isLocal, allowPrivateAddresses: isLocal || config.xaa.allow_private_addresses };
  const outbound = createOutboundClient<OutboundPurpose>({
    ...outboundPolicy,
    resolve: options.resolveHost,
    around: fetchInSpan,
    onEnd: (purpose, outcome) => metrics.outboundRequests.inc({ purpose, outcome }),
  });
  // A caller waits for a search inside a transaction, and few of them may.
  const idpKeys = createIdpKeys({ outbound, searchMs: 8_000, atOnce: 2 });

  const draining = options.draining ?? (() => false);
  const deps = { ...options, draining, store, ping, idpKeys, outboundPolicy, startedAt: clock.now() };
  // Who asks.
  const failedKeys = createFailedKeys({
    ...{ store, clock, logger: options.logger, metrics },
    max: config.admin.auth_fail_max,
    windowSeconds: config.admin.auth_fail_window,
  });
  const keyUse = createKeyUse({ adminKeys: store.adminKeys, clock, logger: options.logger });
  const actor = options.actor ?? 'admin';
  const guard: GuardDeps = {
    ...{ rootKey: options.apiKey, rootActor: actor, adminKeys: store.adminKeys, failedKeys, keyUse, clock },
    pepper: config.client_secret_pepper,
  };

  const single: Omit<Handlers, 'configuration'> = {
    adminKey: adminKeyHandlers(deps),
    auth: authHandlers(deps),
    client: { ...clientHandlers(deps), ...clientActionHandlers(deps) },
    user: { ...userHandlers(), ...userActionHandlers(), ...userTokenHandlers(deps) },
    resource: resourceHandlers(deps),
    policy: policyHandlers(deps),
    provider: providerHandlers(deps),
    fronting: frontingHandlers(),
    exchange: onlyIf(config.token_exchange.enabled, 'token_exchange.enabled', exchangeHandlers(deps)),
    grant: grantHandlers(),
    token: tokenHandlers(deps),
    issuance: issuanceHandlers(),
    key: keyHandlers(deps),
    crypto: cryptoHandlers(deps),
    dcr: dcrHandlers(deps),
    initialAccessToken: initialAccessTokenHandlers(),
    idp: onlyIf(config.xaa.enabled, 'xaa.enabled', idpHandlers(deps)),
    xaaPolicy: onlyIf(config.xaa.enabled, 'xaa.enabled', xaaPolicyHandlers()),
    subjectMapping: onlyIf(config.xaa.enabled, 'xaa.enabled', subjectMappingHandlers()),
    audit: auditHandlers(deps),
    trace: traceHandlers(),
    system: systemHandlers(deps),
  };
  const kinds = declarableKinds({ handlers: single, config, cipher: options.cipher });
  const handlers: Handlers = { ...single, configuration: configurationHandlers({ store, kinds }) };
  metrics.activeClients.collectWith(() => store.clients.countActive());
  metrics.activeFamilies.collectWith(() => store.tokenFamilies.countLive(clock.now()));
  const { feedStatus } = options;
  const own = [
    ...[databaseCheck(database), migrationsCheck(database), signingCheck(options.keyring)],
    ...(feedStatus ? [changeFeedCheck(feedStatus)] : []),
  ];
  const readiness = createReadiness({
    checks: () => [...own, ...(options.moreChecks?.() ?? []).filter(({ name }) => !own.some((it) => it.name === name))],
    draining,
    onChange: (check, { status, reason }, error) =>
      options.logger.warn({ check, status, reason, err: error }, 'readiness'),
  });
  return {
    ...deps,
    handlers,
    guard,
    failedKeys,
    keyUse,
    draining,
    readiness,
    committed: options.committed ?? (() => {}),
  };
};
