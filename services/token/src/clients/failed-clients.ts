import { type DenialReason, OAuthError } from '@authserver/oauth';
import type { FastifyRequest } from 'fastify';
import type { Limits } from '../limits/limits.ts';
import type { ClientAuthenticator } from './authenticate.ts';

/** Refusals that a guess would get. Others say that the request is wrong, whatever the credentials. */
const guesses: readonly DenialReason[] = ['client_unknown', 'client_secret_invalid', 'client_assertion_invalid'];

/** Ids that were made up are as long as their sender likes, and each is remembered for a while. */
const longestCounted = 256;

/**
 * Client authentication in which failures are counted: beyond the budget a wrong credential is answered `slow_down`
 * (429) instead of `invalid_client`.
 *
 * The right credential always works. Secrets are 256 random bits, so what a limit must stop here is noise and not luck,
 * and a lockout would hand anyone who knows a client id (they are public) a way to switch that client off.
 */
export const limitFailedClients = (
  clients: ClientAuthenticator,
  limits: Pick<Limits, 'failedClient'>,
): ClientAuthenticator => ({
  ...clients,
  async authenticate(request, params) {
    try {
      return await clients.authenticate(request, params);
    } catch (error) {
      if (error instanceof OAuthError && error.reason && guesses.includes(error.reason))
        await limits.failedClient(request, (params.client_id ?? basicUser(request) ?? '').slice(0, longestCounted));
      throw error;
    }
  },
});

/** The client id of HTTP Basic as it was sent; only to be counted under. */
const basicUser = (request: FastifyRequest): string | undefined => {
  const encoded = /^basic +(\S+)/i.exec(request.headers.authorization ?? '')?.[1];
  return encoded && Buffer.from(encoded, 'base64').toString('latin1').split(':', 1)[0];
};
