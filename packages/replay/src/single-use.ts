/** What may be used once: each kind has its own key space, and in PostgreSQL a purge target. */
export const singleUseKinds = [
  'dpop_proof', // key: thumbprint and jti (RFC 9449 §11.1)
  'client_assertion', // key: client id and jti (RFC 7523 §3)
  'consent_answer', // key: id of the page
] as const;
export type SingleUseKind = (typeof singleUseKinds)[number];

/** Facts that must be seen once and may be forgotten on time, by all pods together. */
export type SingleUse = {
  /**
   * True for exactly one caller on any pod, however many race, until `expiresAt`.
   *
   * @throws when nobody can say: the caller fails closed (503)
   */
  claim(kind: SingleUseKind, key: string, expiresAt: Date): Promise<boolean>;
};

/**
 * How long a claim is kept at least, in milliseconds. Something that expires this very moment was still accepted, so two
 * requests that carry it at once must not both win.
 */
const shortestMs = 1_000;

/** How long a claim is kept from `now` on, in whole milliseconds. */
export const keptForMs = (expiresAt: Date, now: Date): number =>
  Math.max(shortestMs, Math.ceil(expiresAt.getTime() - now.getTime()));
