/** What may be used once: each kind has its own key space, and in PostgreSQL a purge target. */
export const singleUseKinds = [
  'dpop_proof', // key: thumbprint and jti (RFC 9449 §11.1)
  'client_assertion', // key: client id and jti (RFC 7523 §3)
  'consent_answer', // key: id of the page
  'provider_answer', // key: nonce of the sign-in at an OpenID provider
] as const;
export type SingleUseKind = (typeof singleUseKinds)[number];

/** How long a claim is kept: until a moment that the thing itself names, or for a time from now on. */
export type Kept = { until: Date } | { forSeconds: number };

/**
 * Facts that must be seen once and may be forgotten on time, by all pods together.
 *
 * The clock of the store decides, never that of a pod: one pod that is an hour late would take for fresh what the others
 * have forgotten. So what is over by that clock cannot be claimed at all.
 */
export type SingleUse = {
  /**
   * True for exactly one caller on any pod, however many race, until the claim may be forgotten; false from then on.
   *
   * @throws when nobody can say: the caller fails closed (503)
   */
  claim(kind: SingleUseKind, key: string, kept: Kept): Promise<boolean>;
  /** Whether it has been claimed. Says nothing of the next moment: only a claim decides. Throws like it. */
  isClaimed(kind: SingleUseKind, key: string): Promise<boolean>;
};
