/** Bounds on what a host may say about the lifetime of its documents, in seconds. */
export type FreshnessBounds = {
  floor: number;
  ceiling: number;
  /** When the host says nothing. */
  unspecified: number;
};

/**
 * How many seconds a response may be used (RFC 9111 §4.2), as a private cache understands it. 0 means that it must not be
 * kept: `no-store`, `no-cache` or a lifetime of nothing. Anything else is at least the floor, so that a document that is
 * asked for all the time is not fetched all the time, and at most the ceiling.
 */
export const freshForSeconds = (headers: Headers, now: Date, bounds: FreshnessBounds): number => {
  const directives = readCacheControl(headers.get('cache-control') ?? '');
  if (directives.has('no-store') || directives.has('no-cache')) return 0;
  const lifetime = lifetimeOf(headers, directives, now);
  if (lifetime === undefined) return Math.min(bounds.unspecified, bounds.ceiling);
  if (lifetime <= 0) return 0;
  const age = Number(headers.get('age') ?? 0);
  const left = lifetime - (Number.isFinite(age) && age > 0 ? age : 0);
  return Math.min(Math.max(left, bounds.floor), bounds.ceiling);
};

const lifetimeOf = (headers: Headers, directives: Map<string, string>, now: Date): number | undefined => {
  const maxAge = directives.get('max-age');
  if (maxAge !== undefined) return /^[0-9]+$/.test(maxAge) ? Number(maxAge) : 0; // RFC 9111 §4.2.1: invalid is stale
  const expires = headers.get('expires');
  if (expires === null) return undefined;
  const until = Date.parse(expires);
  const from = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(until) ? 0 : (until - (Number.isNaN(from) ? now.getTime() : from)) / 1000;
};

const readCacheControl = (value: string): Map<string, string> =>
  new Map(
    value.split(',').map((directive) => {
      const [name = '', argument = ''] = directive.split('=', 2);
      return [name.trim().toLowerCase(), argument.trim().replace(/^"|"$/g, '')];
    }),
  );
