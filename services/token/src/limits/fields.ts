import type { Budget, Verdict } from '@authserver/replay';

/**
 * The fields that tell a client how much it may still ask (draft-ietf-httpapi-ratelimit-headers): structured fields
 * (RFC 9651), an item a limit, with the quota `q` in a window of `w` seconds, and `r` left until it is whole in `t`.
 */
export const policyField = (name: string, { ratePerSecond, burst }: Budget): string =>
  `"${name}";q=${burst};w=${Math.max(1, Math.ceil(burst / ratePerSecond))}`;

export const limitField = (name: string, { remaining, resetSeconds }: Verdict): string =>
  `"${name}";r=${remaining};t=${resetSeconds}`;
