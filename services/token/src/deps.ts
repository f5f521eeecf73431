import {
  changeFeedCheck,
  databaseCheck,
  fetchInSpan,
  migrationsCheck,
  signingCheck,
  watchGathering,
} from '@authserver/boot';
import { type Config, isLocalhostIssuer } from '@authserver/config';
import type { ChangeFeed } from '@authserver/events';
import { type Check, createReadiness, degraded, failed, ok } from '@authserver/http';
import { createIdpKeys } from '@authserver/idp';
import type { Keyring } from '@authserver/keys';
import { type GrantType, parseScope } from '@authserver/oauth';
import { createOutboundClient, type OutboundFailure, type Resolve } from '@authserver/outbound';
import type { RedisConnection } from '@authserver/replay';
import { createStore, type Database, type NewAuthorizationCode } from '@authserver/store';
import type { Logger, Metrics, OutboundPurpose, Tracing } from '@authserver/telemetry';
import { createAuditRepeats } from './audit/repeats.ts';
import { createBrowser } from './authorization/browser.ts';
import { createCodes } from './authorization/codes.ts';
import { createConsentTickets } from './authorization/consent-tickets.ts';
import { createDeviceVisits } from './authorization/device-visits.ts';
import { createPendingRequests } from './authorization/pending.ts';
import { createPushedRequests } from './authorization/pushed.ts';
import { createRefusals } from './authorization/refusals.ts';
import { listChores } from './chores.ts';
import { createAssertions } from './clients/assertion.ts';
import { createClientAuthenticator } from './clients/authenticate.ts';
import { createClientUse } from './clients/client-use.ts';
import { createDocumentRows } from './clients/document-rows.ts';
import { createDocuments } from './clients/documents.ts';
import { limitFailedClients } from './clients/failed-clients.ts';
import { createClientFinder } from './clients/find.ts';
import { createGuardedFetch } from './clients/guarded-fetch.ts';
import { createClientKeys } from './clients/keys.ts';
import { createSecretUse } from './clients/secret-use.ts';
import { createNonces } from './dpop/nonces.ts';
import { createProofs } from './dpop/proof.ts';
import { createProofRequirement } from './dpop/requirement.ts';
import { authorizationCode } from './grants/authorization-code.ts';
import { clientCredentials } from './grants/client-credentials.ts';
import { deviceCode } from './grants/device-code.ts';
import type { Grant } from './grants/grant.ts';
import { assertionsForOthers } from './grants/issue-id-jag.ts';
import { jwtBearer } from './grants/jwt-bearer.ts';
import { createRedeemCode } from './grants/redeem-code.ts';
import { type RefreshTokenFacts, refreshToken } from './grants/refresh-token.ts';
import { byRequestedTokenType } from './grants/requested-token-type.ts';
import { tokenExchange } from './grants/token-exchange.ts';
import { createHousekeeping } from './housekeeping.ts';
import { createLimits } from './limits/limits.ts';
import { createLoginLockout } from './limits/lockout.ts';
import { createLookups } from './lookups.ts';
import { createProviderLogin } from './oidc/login.ts';
import { createPasswordChecker } from './passwords.ts';
import { createSecrets } from './secrets.ts';
import { openSharedState } from './shared-state.ts';
import { createSignatureCheck } from './signatures.ts';
import type { Clock } from './time.ts';
import { createIssuedHere } from './tokens/issued-here.ts';
import { createTokenIssuer } from './tokens/issuer.ts';
import { keepReloading } from './tokens/key-reload.ts';
import { createReplays } from './tokens/replays.ts';
import { createSigning } from './tokens/sign.ts';
import { createOwnTokenVerifier } from './tokens/verify.ts';
import { createFlightRecorder } from './trace/recorder.ts';
import { createOpenAssertion } from './xaa/assertions.ts';
import { keepIdpKeys } from './xaa/idp-keys.ts';

export type TokenPlaneOptions = {
  config: Config;
  /** `session.secret`, configured or generated. */
  sessionSecret: string;
  database: Database;
  /** Where `redis.url` leads. */
  redis?: RedisConnection | undefined;
  keyring: Keyring;
  feed: ChangeFeed;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
  clock: Clock;
  version: string;
  /** Whether it takes the place of a process that served. */
  succeeds?: boolean;
  /** Shown on the start page of a localhost issuer. */
  steps?: readonly { title: string; command: string }[];
  draining?: () => boolean;
  /** Whether every answer is the last on its connection; as long as it drains unless said. */
  parting?: () => boolean;
  /** Mean time between two rounds of deleting what is over; a minute unless a test cannot wait. */
  housekeepingIntervalMs?: number | undefined;
  /** How the hosts of client documents and keys are found; by the name servers of the system unless said. */
  resolveHost?: Resolve | undefined;
};

/** Of how much that it issued itself a process remembers the facts: usually a kilobyte each, so some 10 MB in all. */
const mostIssued = { codes: 1024, refreshTokens: 8192 };

export type TokenPlane = Awaited<ReturnType<typeof createTokenPlane>>;

/** The composition root of the data plane: the only place that constructs. */
export const createTokenPlane = async (options: TokenPlaneOptions) => {
  const { config, database, keyring, clock, metrics, logger } = options;
  const { issuer } = config.server;
  const basePath = new URL(issuer).pathname.replace(/\/$/, '');

  // What is kept: in the database, beside it, in memory.
  const store = createStore(database, watchGathering(metrics));
  const lookups = createLookups(store, config, options.feed);
  const secrets = createSecrets(options.sessionSecret);
  const { singleUse, limiter, attempts, leases } = openSharedState({ ...options, secrets });
  const limits = createLimits({ limiter, config, metrics });
  const recorder = createFlightRecorder({
    write: (events) => store.connectionEvents.insertMany(events),
    onDropped: (events) => metrics.traceEventsDropped.inc(events),
  });

  const repeats = createAuditRepeats({
    insert: (events) => store.auditEvents.insertMany(events),
    onLost(action, events) {
      metrics.auditEventsDropped.inc({ action }, events);
      logger.error({ action, events }, 'repeated audit events were counted, and the count could not be written');
    },
    clock,
  });

  const reloadKeys = keepReloading(keyring, logger);
  options.feed.subscribe('signing_key', reloadKeys);
  options.feed.onReset(reloadKeys);
  const signJwt = createSigning({ keyring, metrics });

  // What identity providers sign. An operator named them, so a name may lead into the operator's own network if told so.
  const signedBy = createSignatureCheck();
  const isLocal = isLocalhostIssuer(config.server.issuer);
  const onEnd = (purpose: OutboundPurpose, outcome: 'answered' | OutboundFailure) =>
    metrics.outboundRequests.inc({ purpose, outcome });
  const idpKeys = keepIdpKeys({
    idpKeys: createIdpKeys({
      outbound: createOutboundClient<OutboundPurpose>({
        allowHttp: isLocal,
        allowPrivateAddresses: isLocal || config.xaa.allow_private_addresses,
        resolve: options.resolveHost,
        around: fetchInSpan,
        onEnd,
      }),
      searchMs: 5_000,
      atOnce: 8,
    }),
    ttlSeconds: config.xaa.jwks_cache_ttl,
    clock,
    metrics,
  });
  options.feed.subscribe('idp', idpKeys.forget);
  options.feed.onReset(idpKeys.forgetAll);
  const openAssertion = createOpenAssertion({ issuer, lookups, keys: idpKeys, signedBy });
  const verify = createOwnTokenVerifier({ issuer, keyring });

  // What is given, and for what.
  const replays = createReplays(store, repeats, metrics);
  const issuedCodes = createIssuedHere<NewAuthorizationCode>(mostIssued.codes);
  const issuedRefreshTokens = createIssuedHere<RefreshTokenFacts>(mostIssued.refreshTokens);
  const shared = { store, lookups, replays, repeats, metrics, secrets, config, issuedCodes, issuedRefreshTokens };
  const redeemCode = createRedeemCode(shared);
  const consentTickets = createConsentTickets(secrets, clock, issuer);
  const grants: Grant[] = [
    authorizationCode({ ...shared, redeemCode }),
    refreshToken(shared),
    ...(config.client_credentials.enabled ? [clientCredentials(shared)] : []),
    ...(config.token_exchange.enabled
      ? [
          byRequestedTokenType(
            tokenExchange({ ...shared, verify, consentTickets }),
            assertionsForOthers({ ...shared, verify }),
          ),
        ]
      : []),
    ...(config.device.enabled ? [deviceCode({ ...shared, redeemCode })] : []),
    ...(config.xaa.enabled
      ? [jwtBearer({ ...shared, openAssertion, keepClient: (...client) => documentRows.keep(...client) })]
      : []),
  ];
  const enabledGrants = grants.map(({ type }): GrantType => type);

  // Who asks: from their row, or from a document that is fetched.
  const outboundPolicy = {
    allowHttp: !config.cimd.require_https,
    allowPrivateAddresses: config.cimd.allow_private_addresses,
  };
  const outbound = createOutboundClient<OutboundPurpose>({
    ...outboundPolicy,
    resolve: options.resolveHost,
    around: fetchInSpan,
    onEnd,
  });
  const guarded = createGuardedFetch({ outbound, clock, unlimitedHosts: config.cimd.allow_private_addresses });
  const fetching = { fetch: guarded, fetchTimeoutSeconds: config.cimd.fetch_timeout, clock };
  const documents = createDocuments({ ...fetching, enabledGrants, cacheTtl: config.cimd.cache_ttl, metrics, logger });
  const documentRows = createDocumentRows({
    store,
    documents,
    defaultCeiling: parseScope(config.oauth.default_client_scope) ?? [],
    clock,
    metrics,
    logger,
  });
  const finder = createClientFinder({
    lookups,
    documents,
    rows: documentRows,
    policy: outboundPolicy,
    enabled: config.cimd.enabled,
    dcr: config.dcr,
  });
  const clientUse = createClientUse(store);
  const secretUse = createSecretUse({ write: (uses) => store.clientSecrets.touch(uses), clock, logger });
  const authenticator = createClientAuthenticator({
    findClient: finder.forAuthentication,
    findNewer: finder.newer,
    clientSecretPepper: config.client_secret_pepper,
    assertions: createAssertions({
      issuer,
      keys: createClientKeys(fetching),
      signedBy,
      singleUse,
      now: () => clock.now(),
    }),
    onSecretUsed: secretUse.note,
    now: () => clock.now(),
  });
  const nonces = createNonces({ issuer, ttlSeconds: config.dpop.nonce_ttl, mac: secrets.nonceMac });

  // The person at the browser.
  const browser = createBrowser({ store, secrets, clock, config });
  const pending = createPendingRequests(secrets, clock, config.oauth.state_max_age);

  const { resolveHost } = options;
  const common = { config, basePath, secrets, signedBy, clock, metrics, logger };
  const providerLogin = createProviderLogin({ ...common, resolveHost, onEnd });

  // What it says of itself.
  const checks = [
    databaseCheck(database),
    migrationsCheck(database),
    signingCheck(keyring),
    changeFeedCheck(options.feed.status),
    ...(options.redis ? [redisCheck(options.redis, options.succeeds ?? false)] : []),
  ];
  const draining = options.draining ?? (() => false);
  const readiness = createReadiness({
    checks: () => checks,
    draining,
    onChange: (check, { status, reason }, error) => logger.warn({ check, status, reason, err: error }, 'readiness'),
  });

  const { housekeepingIntervalMs: intervalMs } = options;
  const chores = listChores({ database, config, clientUse, repeats });
  const housekeeping = createHousekeeping({ chores, leases, clock, logger, ...(intervalMs && { intervalMs }) });

  return {
    ...options,

    // The server itself.
    issuer,
    basePath,
    steps: options.steps ?? [],
    parting: options.parting ?? draining,
    checks,
    readiness,
    ping: () => database.query('ping', 'select 1'),
    reloadKeys,
    housekeeping,
    recorder,
    /** Ends what runs beside the requests; the database is still there. */
    close: async () => {
      await Promise.all([housekeeping.stop(), recorder.close(), secretUse.close()]);
      await repeats.close();
    },

    // What it keeps.
    store,
    repeats,
    lookups,
    resources: () => lookups.resources(),
    singleUse,
    limits,

    // Clients.
    clients: limitFailedClients(authenticator, limits),
    findClient: finder.forAuthorization,
    keepClient: documentRows.keep,
    whyGone: (clientId: string) => store.clientTombstones.find(clientId),
    clientUse,
    clientDocumentsEnabled: config.cimd.enabled,
    outboundPolicy,

    // Tokens.
    grants,
    enabledGrants,
    agentListing: config.agents.enable_jwks_listing,
    dpopEnabled: config.dpop.enabled,
    proofs: createProofs({ issuer, settings: config.dpop, nonces, singleUse, metrics }),
    proofRequirement: createProofRequirement({ settings: config.dpop, lookups }),
    tokenIssuer: createTokenIssuer({ issuer, signJwt, metrics }),
    signJwt,
    verify,

    // Authorization requests.
    requireScope: config.oauth.require_scope,
    defaultResource: config.oauth.default_resource,
    requirePushed: config.oauth.require_pushed_authorization_requests,
    pushed: createPushedRequests(store, {
      seconds: config.oauth.par_lifetime,
      personSeconds: config.oauth.state_max_age,
    }),
    pending,
    consentTickets,
    codes: createCodes(config.oauth.code_ttl, issuedCodes),
    refusals: createRefusals({ issuer, basePath, browser, pending, store, clock, metrics }),
    deviceCodeSeconds: config.device.code_ttl,
    deviceVisits: createDeviceVisits(secrets, clock, config.device.code_ttl),

    // People.
    browser,
    passwords: await createPasswordChecker(),
    lockout: createLoginLockout({ attempts, secrets, config: config.rate_limit }),
    passwordLogin: config.oidc.show_local_login,
    providerLogin,
  };
};

/**
 * Requests that need it are refused while it is away, see docs/limits.md; all others are served. That is said by a process
 * that had it: where it was never there, those that are to be replaced are better off with the requests.
 */
const redisCheck = (redis: RedisConnection, mayBeAway: boolean): Check => ({
  name: 'redis',
  look() {
    const standing = redis.standing();
    if (standing === 'up') return ok;
    return standing === 'lost' || mayBeAway ? degraded('not connected') : failed('has not answered yet');
  },
});
