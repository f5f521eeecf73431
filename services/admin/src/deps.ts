import type { Config } from '@authserver/config';
import type { Keyring, KeyStore } from '@authserver/keys';
import { createStore, type Database } from '@authserver/store';
import type { Logger, Metrics } from '@authserver/telemetry';
import { auditHandlers } from './handlers/audit.ts';
import { clientActionHandlers } from './handlers/client-actions.ts';
import { clientHandlers } from './handlers/clients.ts';
import { dcrHandlers } from './handlers/dcr.ts';
import { grantHandlers } from './handlers/grants.ts';
import type { Handlers } from './handlers/handler.ts';
import { initialAccessTokenHandlers } from './handlers/initial-access-tokens.ts';
import { issuanceHandlers } from './handlers/issuances.ts';
import { keyHandlers } from './handlers/keys.ts';
import { policyHandlers } from './handlers/policies.ts';
import { resourceHandlers } from './handlers/resources.ts';
import { systemHandlers } from './handlers/system.ts';
import { traceHandlers } from './handlers/trace.ts';
import { userActionHandlers } from './handlers/user-actions.ts';
import { userHandlers } from './handlers/users.ts';

export type AdminPlaneOptions = {
  config: Config;
  database: Database;
  keyStore: KeyStore;
  /** Reloaded after a rotation here; the token plane in the same process may share it. */
  keyring: Keyring;
  logger: Logger;
  metrics: Metrics;
  clock: { now(): Date };
  version: string;
  /** `admin.api_key`, configured or generated. Without one every request is refused. */
  apiKey: string | undefined;
  /** Who the audit trail says it was; `cli` when the CLI runs this application in its own process. */
  actor?: string;
  draining?: () => boolean;
};

export type AdminPlane = ReturnType<typeof createAdminPlane>;

/** The composition root of the control plane: the only place that constructs. */
export const createAdminPlane = (options: AdminPlaneOptions) => {
  const { database, metrics, clock } = options;
  const store = createStore(database);
  const ping = () => database.query('ping', 'select 1');
  const deps = { ...options, store, ping, startedAt: clock.now() };
  const handlers: Handlers = {
    client: { ...clientHandlers(deps), ...clientActionHandlers(deps) },
    user: { ...userHandlers(), ...userActionHandlers() },
    resource: resourceHandlers(deps),
    policy: policyHandlers(),
    grant: grantHandlers(),
    issuance: issuanceHandlers(),
    key: keyHandlers(deps),
    dcr: dcrHandlers(deps),
    initialAccessToken: initialAccessTokenHandlers(),
    audit: auditHandlers(deps),
    trace: traceHandlers(),
    system: systemHandlers(deps),
  };
  metrics.activeClients.collectWith(() => store.clients.countActive());
  metrics.activeFamilies.collectWith(() => store.tokenFamilies.countLive(clock.now()));
  return { ...deps, handlers, actor: options.actor ?? 'admin', draining: options.draining ?? (() => false) };
};
