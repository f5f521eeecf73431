import { errors } from 'nats';
import type { NatsTrouble } from './nats-trouble.ts';

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
