import { withResponseParams } from '@authserver/oauth';
import type { ResponseTarget } from './request.ts';

/** The address of a successful response (RFC 6749 §4.1.2), with `iss` (RFC 9207 §2). */
export const codeResponse = (target: ResponseTarget, code: string, issuer: string): string =>
  withResponseParams(target.redirectUri, { code, state: target.state, iss: issuer });

/** The address of an error response (RFC 6749 §4.1.2.1), with `iss` (RFC 9207 §2). */
export const errorResponse = (
  target: ResponseTarget,
  error: { code: string; description: string },
  issuer: string,
): string =>
  withResponseParams(target.redirectUri, {
    error: error.code,
    error_description: error.description,
    state: target.state,
    iss: issuer,
  });
