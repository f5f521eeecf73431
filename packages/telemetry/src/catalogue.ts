import { changeFeedMetrics } from './catalogue/change-feed.ts';
import { clientMetrics } from './catalogue/clients.ts';
import { federationMetrics } from './catalogue/federation.ts';
import { httpMetrics } from './catalogue/http.ts';
import { keyMetrics } from './catalogue/keys.ts';
import { peopleMetrics } from './catalogue/people.ts';
import { processMetrics } from './catalogue/process.ts';
import type { MetricSpecs } from './catalogue/spec.ts';
import { storageMetrics } from './catalogue/storage.ts';
import { tokenMetrics } from './catalogue/tokens.ts';

export { type LimitName, limitNames, type OutboundPurpose, outboundPurposes } from './catalogue/clients.ts';
export { encryptionDrivers } from './catalogue/keys.ts';
export { type Bound, bounds, durationBuckets, type MetricSpec } from './catalogue/spec.ts';
export {
  type GatheredStatement,
  gatheredStatements,
  type PoolName,
  type PurgeTargetName,
  purgeTargetNames,
  redisUses,
} from './catalogue/storage.ts';

/** The chapters of the catalogue, as docs/metrics.md has them. */
export const chapters: readonly { title: string; metrics: MetricSpecs }[] = [
  { title: 'Tokens', metrics: tokenMetrics },
  { title: 'People', metrics: peopleMetrics },
  { title: 'Clients', metrics: clientMetrics },
  { title: 'Identity providers and upstreams', metrics: federationMetrics },
  { title: 'Keys and encryption', metrics: keyMetrics },
  { title: 'HTTP and the admin API', metrics: httpMetrics },
  { title: 'Storage', metrics: storageMetrics },
  { title: 'Change feed', metrics: changeFeedMetrics },
  { title: 'Process', metrics: processMetrics },
];

/** Every metric this server emits, declared once. Names are a public contract. */
export const catalogue = {
  ...tokenMetrics,
  ...peopleMetrics,
  ...clientMetrics,
  ...federationMetrics,
  ...keyMetrics,
  ...httpMetrics,
  ...storageMetrics,
  ...changeFeedMetrics,
  ...processMetrics,
};

export type Catalogue = typeof catalogue;
