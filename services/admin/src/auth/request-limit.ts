import type { Config } from '@authserver/config';
import { addressKey, Problem } from '@authserver/http';
import { createBuckets, paceOf } from '@authserver/replay';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyRequest } from 'fastify';

const mostAddresses = 10_000;

/**
 * How many requests one address may send, with whatever key. It comes before the key, so that looking keys up is limited
 * as well, and is counted by this process alone.
 *
 * @throws {Problem} `too_many_requests`
 */
export const createRequestLimit = ({ admin }: Pick<Config, 'admin'>, metrics: Metrics) => {
  const budget = { ratePerSecond: admin.requests_per_second, burst: admin.burst };
  if (budget.ratePerSecond <= 0 || budget.burst <= 0) return async (): Promise<void> => {};
  const buckets = createBuckets(paceOf(budget), mostAddresses);

  return async (request: FastifyRequest): Promise<void> => {
    const { allowed, retryAfterSeconds } = buckets.take(addressKey(request.ip), 1);
    if (allowed) return;
    metrics.rateLimited.inc({ limit: 'admin_requests' });
    throw new Problem('too_many_requests', 'Too many requests from this address; please slow down.', {
      headers: { 'retry-after': String(retryAfterSeconds) },
    });
  };
};
