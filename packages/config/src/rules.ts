import { addressesCollide, parseAddress } from './address.ts';
import { issuerProblem } from './issuer.ts';
import type { Problem } from './problems.ts';
import type { Config } from './schema.ts';

/** Rules about more than one setting, wherever the server runs. */
export function brokenRules(config: Config): Problem[] {
  const issuer = issuerProblem(config.server.issuer);
  return [
    ...(issuer ? [{ key: 'server.issuer', message: issuer }] : []),
    ...addressRules(config),
    ...drainRules(config),
    ...storageRules(config),
    ...redisRules(config),
    ...clientRules(config),
    ...dpopRules(config),
    ...sessionRules(config),
    ...natsRules(config),
    ...limitRules(config),
    ...retentionRules(config),
    ...seedRules(config),
    ...observabilityRules(config),
  ];
}

function* addressRules({ server, admin }: Config): Iterable<Problem> {
  const listeners: [key: string, address: string][] = [['server.address', server.address]];
  if (admin.enabled) listeners.push(['admin.address', admin.address]);
  listeners.push(['server.internal_address', server.internal_address]);
  for (const [index, [key, address]] of listeners.entries()) {
    for (const [otherKey, other] of listeners.slice(0, index)) {
      if (addressesCollide(parseAddress(address), parseAddress(other))) {
        yield { key, message: `must not be the same as ${otherKey}` };
      }
    }
  }
}

function* drainRules({ server: { drain_delay, shutdown_wait } }: Config): Iterable<Problem> {
  if (drain_delay !== undefined && drain_delay > 0 && drain_delay >= shutdown_wait) {
    yield { key: 'server.drain_delay', message: 'must be shorter than server.shutdown_wait, which includes it' };
  }
}

function* storageRules({ storage: { driver, postgres } }: Config): Iterable<Problem> {
  if (driver === 'postgres' && postgres.dsn === undefined) {
    yield { key: 'storage.postgres.dsn', message: 'is required when storage.driver is postgres' };
  }
  if (postgres.min_conns > postgres.max_conns) {
    yield { key: 'storage.postgres.min_conns', message: 'must not be greater than storage.postgres.max_conns' };
  }
}

function* redisRules({ redis }: Config): Iterable<Problem> {
  const { url, tls, cluster, sentinel } = redis;
  const [encrypted, sentinels] = [url?.startsWith('rediss:') ?? false, sentinel.nodes.length > 0];
  if (cluster && sentinels)
    yield { key: 'redis.cluster', message: 'must not be on when redis.sentinel.nodes are given' };
  if ((cluster || sentinels) && url === undefined)
    yield { key: 'redis.url', message: 'is required for a cluster and for sentinels' };
  if (tls.ca_path !== undefined && !encrypted) yield { key: 'redis.tls.ca_path', message: 'needs a rediss:// URL' };
  if ((tls.cert_path === undefined) !== (tls.key_path === undefined))
    yield { key: 'redis.tls.cert_path', message: 'must be given together with redis.tls.key_path' };
  if (cluster && url !== undefined && /^\/[1-9]/.test(URL.parse(url)?.pathname ?? ''))
    yield { key: 'redis.url', message: 'must not name a database: a cluster has one' };
}

function* clientRules({ dcr, oauth }: Config): Iterable<Problem> {
  if (dcr.mode === 'approved_redirects' && dcr.approved_redirects.length === 0) {
    yield { key: 'dcr.approved_redirects', message: 'must not be empty when dcr.mode is approved_redirects' };
  }
  if (dcr.default_refresh_expiry > oauth.refresh_absolute_lifetime) {
    yield { key: 'dcr.default_refresh_expiry', message: 'must not be longer than oauth.refresh_absolute_lifetime' };
  }
}

function* dpopRules({ dpop }: Config): Iterable<Problem> {
  if (dpop.require && !dpop.enabled) yield { key: 'dpop.require', message: 'needs dpop.enabled' };
}

function* sessionRules({ session }: Config): Iterable<Problem> {
  if (session.same_site === 'none' && !session.secure) {
    yield { key: 'session.same_site', message: 'none needs session.secure, or browsers drop the cookie' };
  }
  if (/^__(Host|Secure)-/i.test(session.cookie_name) && !session.secure) {
    yield { key: 'session.cookie_name', message: 'this prefix needs session.secure, or browsers drop the cookie' };
  }
}

function* natsRules({ nats: { credentials, user, password, token, tls } }: Config): Iterable<Problem> {
  if ([credentials, user, token].filter((way) => way !== undefined).length > 1) {
    yield { key: 'nats', message: 'set one of credentials, user and token' };
  }
  if (password !== undefined && user === undefined) yield { key: 'nats.password', message: 'needs nats.user' };
  if ((tls.cert_path === undefined) !== (tls.key_path === undefined)) {
    yield { key: 'nats.tls', message: 'cert_path and key_path belong together' };
  }
}

function* limitRules({ admin, rate_limit: limit }: Config): Iterable<Problem> {
  if (admin.audit_default_lookback > admin.audit_max_lookback) {
    yield { key: 'admin.audit_default_lookback', message: 'must not be longer than admin.audit_max_lookback' };
  }
  const positive = [
    ['requests_per_second', 'while rate_limit.enabled is true', limit.enabled],
    ['burst', 'while rate_limit.enabled is true', limit.enabled],
    ['auth_fail_window', 'while rate_limit.auth_fail_max is not 0', limit.auth_fail_max > 0],
    ['auth_lockout', 'while rate_limit.auth_fail_max is not 0', limit.auth_fail_max > 0],
  ] as const;
  for (const [name, when, applies] of positive) {
    if (applies && limit[name] <= 0) yield { key: `rate_limit.${name}`, message: `must be greater than 0 ${when}` };
  }
}

function* retentionRules({ retention, purge }: Config): Iterable<Problem> {
  for (const [name, seconds] of Object.entries(retention)) {
    if (seconds > 0 && seconds < 86_400) yield { key: `retention.${name}`, message: 'must be 0 or at least 24h' };
  }
  if (purge.interval !== undefined && purge.interval > 0 && purge.interval < 1) {
    yield { key: 'purge.interval', message: 'must be 0 or at least 1s' };
  }
}

function* seedRules({ resources, broker_providers, data_encryption }: Config): Iterable<Problem> {
  yield* duplicates(
    'resources',
    'slug',
    resources.map(({ slug }) => slug),
  );
  yield* duplicates(
    'broker_providers',
    'slug',
    broker_providers.map(({ slug }) => slug),
  );
  for (const [index, { config_data }] of broker_providers.entries()) {
    if (config_data.client_secret && data_encryption.driver === undefined) {
      const message = 'client_secret must not be written here; name an environment variable in client_secret_ref';
      yield { key: `broker_providers[${index}].config_data`, message };
    }
  }
  for (const [index, resource] of resources.entries()) {
    const key = `resources[${index}]`;
    yield* duplicates(
      `${key}.scopes`,
      'name',
      resource.scopes.map(({ name }) => name),
    );
    const { broker_provider_id: id, broker_provider_slug: slug } = resource;
    if (id !== undefined && slug !== undefined) {
      yield { key: `${key}.broker_provider_id`, message: 'set either this or broker_provider_slug, not both' };
    } else if (resource.backend_kind === 'mint' && (id ?? slug) !== undefined) {
      yield { key: `${key}.backend_kind`, message: 'mint resources have no broker provider' };
    } else if (resource.backend_kind === 'broker' && (id ?? slug) === undefined) {
      yield { key: `${key}.broker_provider_slug`, message: 'is required for a broker resource, or broker_provider_id' };
    }
  }
}

function* duplicates(list: string, member: string, values: readonly string[]): Iterable<Problem> {
  for (const [index, value] of values.entries()) {
    const first = values.indexOf(value);
    if (first < index)
      yield { key: `${list}[${index}].${member}`, message: `is the same as that of ${list}[${first}]` };
  }
}

function* observabilityRules({ observability: { logging, metrics, tracing } }: Config): Iterable<Problem> {
  const { provider, otel_endpoint } = metrics;
  const isSent = provider === 'otel' || provider === 'both';
  yield* collectorRules('observability.metrics', 'otel_endpoint', otel_endpoint, metrics.insecure, {
    isUsed: isSent,
    because: `provider is ${provider}`,
  });
  const { outputs } = logging;
  yield* collectorRules('observability.logging.outputs', 'otel_endpoint', outputs.otel_endpoint, outputs.insecure, {
    isUsed: outputs.otel,
    because: 'otel is true',
  });
  yield* collectorRules('observability.tracing', 'endpoint', tracing.endpoint, tracing.insecure, {
    isUsed: tracing.enabled,
    because: 'enabled is true',
  });
}

/** Whoever sends needs to know where to, and says so when it is in the clear. */
function* collectorRules(
  section: string,
  name: string,
  endpoint: string | undefined,
  insecure: boolean,
  { isUsed, because }: { isUsed: boolean; because: string },
): Iterable<Problem> {
  if (isUsed && endpoint === undefined)
    yield { key: `${section}.${name}`, message: `is required when ${section}.${because}` };
  if (endpoint?.startsWith('http://') && !insecure)
    yield { key: `${section}.insecure`, message: 'must be true for an http:// endpoint' };
}
