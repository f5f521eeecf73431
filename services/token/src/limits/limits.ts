import type { Config } from '@authserver/config';
import { addressKey } from '@authserver/http';
import { OAuthError } from '@authserver/oauth';
import type { Budget, Limit, RateLimiter, Verdict } from '@authserver/replay';
import type { LimitName, Metrics } from '@authserver/telemetry';
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { hostCookie } from '../cookies.ts';
import { limitField, policyField } from './fields.ts';

/**
 * How often somebody may ask. A limit protects the server and slows guessing down; it never decides who is let in.
 *
 * Every method throws `slow_down` (429) with `Retry-After` and the `RateLimit` fields when the budget is spent.
 */
export type Limits = {
  /** Counts a request to a public endpoint by its address, and says on the answer what is left. */
  requests: onRequestHookHandler;
  /** One registration (RFC 7591 §5), by address: `dcr.rate_limit`. */
  registration(request: FastifyRequest): Promise<void>;
  /** One request pushed by a client that proves nothing about itself (RFC 9126 §7.2), by address. */
  pushedRequest(request: FastifyRequest): Promise<void>;
  /** One guess at a user code (RFC 8628 §5.1), by address and by browser session. */
  deviceCode(request: FastifyRequest): Promise<void>;
  /** One step of a sign-in at the OpenID provider, by address. */
  providerLogin(request: FastifyRequest): Promise<void>;
  /** One client authentication that failed (OAuth 2.1 §2.4.1), by client and address. */
  failedClient(request: FastifyRequest, clientId: string): Promise<void>;
};

/**
 * A person mistypes a code a few times, and an office behind one address enters more of them. Ten guesses a minute at
 * 34 bits that live for some minutes still come to nothing.
 */
const deviceCodesBySession: Budget = { ratePerSecond: 1 / 20, burst: 5 };
const deviceCodesByAddress: Budget = { ratePerSecond: 1 / 6, burst: 20 };

/**
 * Anybody may pose as a public client, and what is pushed is kept for minutes: this bounds it to some 50 MB an address.
 * Confidential clients push for all their users from one address; they are known and only share the limit on requests.
 */
const pushedRequestsByAddress: Budget = { ratePerSecond: 5, burst: 50 };

/** A client with an old secret in a loop hears 401 often enough to notice, and then is told to slow down. */
const failedClients: Budget = { ratePerSecond: 1 / 6, burst: 20 };

/** Two steps a sign-in. An office whose people all arrive at once is let in; made-up answers hardly bother the provider. */
const providerLoginsByAddress: Budget = { ratePerSecond: 5, burst: 120 };

type NamedLimit = { name: LimitName; policy: string } & Limit;

export const createLimits = (deps: { limiter: RateLimiter; config: Config; metrics: Metrics }): Limits => {
  const { rate_limit: rate, dcr, session } = deps.config;

  /** A budget without a rate is none: 0 switches a limit off. */
  const named = (name: LimitName, budget: Budget): NamedLimit | undefined =>
    budget.ratePerSecond > 0 && budget.burst > 0
      ? { name, policy: policyField(name, budget), ...deps.limiter.limit(name, budget) }
      : undefined;
  const refusal = ({ name, policy }: NamedLimit, verdict: Verdict): OAuthError => {
    deps.metrics.rateLimited.inc({ limit: name });
    return new OAuthError('slow_down', 'Too many requests; please slow down.', 'rate_limited', {
      status: 429,
      headers: {
        'retry-after': String(verdict.retryAfterSeconds),
        'ratelimit-policy': policy,
        ratelimit: limitField(name, verdict),
      },
    });
  };
  const take = async (limit: NamedLimit | undefined, key: string): Promise<void> => {
    const verdict = await limit?.take(key);
    if (limit && verdict && !verdict.allowed) throw refusal(limit, verdict);
  };

  const requests = rate.enabled
    ? named('requests', { ratePerSecond: rate.requests_per_second, burst: rate.burst })
    : undefined;
  const registrations = named('registrations', { ratePerSecond: dcr.rate_limit, burst: dcr.rate_limit_burst });
  const pushedRequests = named('pushed_requests', pushedRequestsByAddress);
  const codesBySession = named('device_codes', deviceCodesBySession);
  const codesByAddress = named('device_codes', deviceCodesByAddress);
  const providerLogins = named('provider_logins', providerLoginsByAddress);
  const clientFailures = named('client_failures', failedClients);

  return {
    requests(request, reply, done) {
      // A preflight costs nothing, and a browser would report its refusal as a fault of the network.
      if (!requests || request.method === 'OPTIONS') return done();
      const verdict = requests.takeNow(addressKey(request.ip));
      if (!verdict.allowed) return done(refusal(requests, verdict));
      reply.header('ratelimit-policy', requests.policy).header('ratelimit', limitField(requests.name, verdict));
      done();
    },
    registration: (request) => take(registrations, addressKey(request.ip)),
    pushedRequest: (request) => take(pushedRequests, addressKey(request.ip)),
    async deviceCode(request) {
      await take(codesByAddress, `address ${addressKey(request.ip)}`);
      const browser = request.cookies[hostCookie(session.cookie_name, session.secure)];
      if (browser) await take(codesBySession, `session ${browser}`);
    },
    providerLogin: (request) => take(providerLogins, addressKey(request.ip)),
    failedClient: (request, clientId) => take(clientFailures, `${addressKey(request.ip)} ${clientId}`),
  };
};
