export const natsTroubles = ['unreachable', 'unauthorized', 'forbidden', 'tls', 'lost'] as const;

/**
 * What keeps us from NATS: nobody answers, the credentials are refused, they do not allow the subject, TLS fails, or a
 * connection that stood has ended. The client's own message is not passed on, so that no secret can be in it.
 */
export type NatsTrouble = (typeof natsTroubles)[number];
