import { type GrantType, invalidClient, OAuthError, temporarilyUnavailable } from '@authserver/oauth';
import { freshForSeconds, OutboundError, type OutboundResponse } from '@authserver/outbound';
import type { Logger, Metrics } from '@authserver/telemetry';
import type { Clock } from '../time.ts';
import { type GuardedFetch, NotFetched } from './guarded-fetch.ts';
import { type DocumentClient, readMetadataDocument } from './metadata-document.ts';

export type DocumentsDeps = {
  fetch: GuardedFetch;
  enabledGrants: readonly GrantType[];
  /** Longest use of a document, seconds. */
  cacheTtl: number;
  fetchTimeoutSeconds: number;
  clock: Clock;
  metrics: Metrics;
  logger: Logger;
};

export type Documents = {
  /** A document that may still be used without asking. */
  held(url: string): DocumentClient | undefined;
  /**
   * The document as its host has it now, or had it within the time it said it may be kept.
   *
   * @throws {OAuthError} `invalid_client` when it cannot be had or used; `slow_down` or `temporarily_unavailable` when we
   *   do not go there now
   */
  get(url: string, options: { known: boolean }): Promise<DocumentClient>;
};

const maxBytes = 32 * 1024;
const maxHeld = 1024;
const floorSeconds = 60;
const unspecifiedSeconds = 300;
/** How long a host that did not answer is left alone. */
const failureSeconds = 30;

/**
 * Client metadata documents, fetched and kept for as long as their hosts allow. An answer that is no usable document is
 * never kept (draft §4.4): its developer corrects it and tries again. Only a host that gives no answer is left alone for a
 * while. All in bounded memory, whatever URLs strangers make up.
 */
export const createDocuments = (deps: DocumentsDeps): Documents => {
  const { metrics, clock } = deps;
  const held = new Map<string, { client: DocumentClient; until: number }>();
  const failed = new Map<string, { error: OAuthError; until: number }>();
  const underWay = new Map<string, Promise<DocumentClient>>();
  const nowMs = () => clock.now().getTime();

  const fetch = async (url: string, known: boolean): Promise<DocumentClient> => {
    const started = performance.now();
    let outcome: 'success' | 'invalid' | 'failed' | undefined = 'failed';
    try {
      const response = await deps.fetch.get(
        {
          url,
          purpose: 'client_document',
          accept: 'application/json',
          timeoutMs: deps.fetchTimeoutSeconds * 1000,
          maxBytes,
        },
        known,
      );
      outcome = 'invalid';
      const client = read(url, response);
      outcome = 'success';
      const bounds = { floor: floorSeconds, ceiling: deps.cacheTtl, unspecified: unspecifiedSeconds };
      const seconds = freshForSeconds(response.headers, clock.now(), bounds);
      if (seconds > 0) put(held, url, { client, until: nowMs() + seconds * 1000 });
      return client;
    } catch (error) {
      if (!(error instanceof NotFetched)) throw noteFailure(url, error);
      outcome = undefined;
      metrics.cimdFetchSuppressed.inc({ reason: error.reason });
      throw error.reason === 'capacity' ? temporarilyUnavailable(error) : tooManyOfHost();
    } finally {
      if (outcome) metrics.cimdFetchDuration.observe({ outcome }, (performance.now() - started) / 1000);
    }
  };

  const read = (url: string, { status, headers, body }: OutboundResponse): DocumentClient => {
    if (status !== 200) throw unavailable(`its host answered ${status}`);
    return readMetadataDocument(url, { contentType: headers.get('content-type'), body }, deps.enabledGrants);
  };

  const noteFailure = (url: string, error: unknown): unknown => {
    if (!(error instanceof OutboundError)) return error;
    deps.logger.info({ host: new URL(url).host, failure: error.failure, why: error.message }, 'no client document');
    const refused = unreachable(error);
    put(failed, url, { error: refused, until: nowMs() + failureSeconds * 1000 });
    return refused;
  };

  const heldNow = (url: string): DocumentClient | undefined => {
    const entry = held.get(url);
    if (entry && entry.until > nowMs()) return entry.client;
    held.delete(url);
    return undefined;
  };

  return {
    held: heldNow,
    async get(url, { known }) {
      const document = heldNow(url);
      if (document) return document;
      const failure = failed.get(url);
      if (failure && failure.until > nowMs()) {
        metrics.cimdFetchSuppressed.inc({ reason: 'negative_cache' });
        throw failure.error;
      }
      failed.delete(url);
      const pending = underWay.get(url);
      if (pending) {
        metrics.cimdFetchSuppressed.inc({ reason: 'single_flight' });
        return pending;
      }
      const started = fetch(url, known).finally(() => underWay.delete(url));
      underWay.set(url, started);
      return started;
    },
  };
};

/** The oldest goes when there is no room. */
const put = <V>(map: Map<string, V>, key: string, value: V): void => {
  map.delete(key);
  if (map.size >= maxHeld) map.delete(map.keys().next().value as string);
  map.set(key, value);
};

/** Nothing is wrong with us, so this is no 5xx: anybody could raise an alarm with a URL that leads nowhere. */
const unavailable = (
  what: string,
  reason: 'client_document_unavailable' | 'client_document_forbidden' = 'client_document_unavailable',
  cause?: unknown,
): OAuthError => {
  const { code, headers } = invalidClient(reason);
  const text = `The metadata document at the client_id could not be fetched: ${what}.`;
  return new OAuthError(code, text, reason, { headers: { ...headers, 'retry-after': String(failureSeconds) }, cause });
};

const tooManyOfHost = (): OAuthError =>
  new OAuthError(
    'slow_down',
    'Too many metadata documents of this host were asked for at once. Please try again in a minute.',
    'rate_limited',
    { status: 429, headers: { 'retry-after': '60' } },
  );

/**
 * One sentence whether a name leads into our network or nowhere: the difference would tell a stranger what is in there.
 */
const unreachable = (error: OutboundError): OAuthError => {
  if (error.failure === 'oversized') return unavailable(`it is larger than ${maxBytes / 1024} KiB`, undefined, error);
  const reason = error.failure === 'forbidden' ? 'client_document_forbidden' : 'client_document_unavailable';
  return unavailable('its host gave no usable answer in time', reason, error);
};
