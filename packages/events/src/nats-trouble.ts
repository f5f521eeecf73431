import { errors } from 'nats';

export const natsTroubles = ['unreachable', 'unauthorized', 'forbidden', 'tls', 'lost'] as const;

/**
 * What keeps us from NATS: nobody answers, the credentials are refused, they do not allow the subject, TLS fails, or a
 * connection that stood has ended. The client's own message is not passed on, so that no secret can be in it.
 */
export type NatsTrouble = (typeof natsTroubles)[number];

/** Why a connection could not be made or used. */
export const troubleOf = (error: unknown): NatsTrouble => {
  if (error instanceof errors.PermissionViolationError) return 'forbidden';
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError)
    return 'unauthorized';
  return causes(error).some(isTlsTrouble) ? 'tls' : 'unreachable';
};

const causes = (error: unknown): Error[] => (error instanceof Error ? [error, ...causes(error.cause)] : []);

/** Of a certificate, of the handshake, of a file, or of a server that has no TLS. */
const isTlsTrouble = (error: Error): boolean => {
  const { code = '' } = error as NodeJS.ErrnoException;
  return (
    /CERT|SELF_SIGNED|SIGNATURE|SSL|TLS|ENOENT|EACCES|EISDIR|OSSL|PEM/.test(code) ||
    /does not support 'tls'|doesn't exist|certificate|PEM|TLS|SSL/.test(error.message)
  );
};
