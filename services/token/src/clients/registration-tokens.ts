import { timingSafeEqual } from 'node:crypto';
import { type DenialReason, OAuthError } from '@authserver/oauth';
import type { Registration, Store } from '@authserver/store';
import type { FastifyRequest } from 'fastify';
import { randomToken, tokenHash } from '../secrets.ts';

/** A registration access token (RFC 7592 §3): 256 random bits. The prefix tells it from other secrets in a leak. */
export const newRegistrationToken = (): string => `rat_${randomToken()}`;

/** Compared with when there is nothing to compare with, so that an unknown client costs what a wrong token costs. */
const nothing = Buffer.alloc(32);

/** The credential of the request, in the header and nowhere else (RFC 6750 §2.1, OAuth 2.1 §5.1.1). */
export const bearerOf = (request: FastifyRequest): string | undefined =>
  /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(request.headers.authorization ?? '')?.[1];

/**
 * The hash of the initial access token that came with a registration (RFC 7591 §3), if one did. That it is good is only
 * known for now: its use is counted when the client is written.
 *
 * @throws {OAuthError} `invalid_token` for one that is wrong, used up, expired or revoked, whatever the mode
 */
export const readInitialAccess = async (
  request: FastifyRequest,
  { initialAccessTokens }: Pick<Store, 'initialAccessTokens'>,
  now: Date,
): Promise<Buffer | undefined> => {
  if (!/^bearer\b/i.test(request.headers.authorization ?? '')) return undefined;
  const hash = tokenHash(bearerOf(request) ?? '');
  if (!(await initialAccessTokens.isUsable(hash, now))) throw invalidInitialToken();
  return hash;
};

export const invalidInitialToken = (): OAuthError =>
  invalidToken('The initial access token is invalid, expired, revoked or used up.', 'initial_token_invalid');

/**
 * The registration a request may manage (RFC 7592 §2).
 *
 * @throws {OAuthError} `invalid_token` in one wording, whether token or client is wrong or missing; `access_denied` for the
 *   right token of a client that an operator has stopped
 */
export const requireRegistrant = (held: Registration | undefined, token: string | undefined): Registration => {
  const matches = timingSafeEqual(held?.tokenHash ?? nothing, tokenHash(token ?? ''));
  if (!held?.tokenHash || !matches) throw invalidRegistrationToken(token !== undefined);
  if (held.client.status !== 'active')
    throw new OAuthError(
      'access_denied',
      'This client was stopped by the administrator and cannot manage itself.',
      'client_not_active',
    );
  return held;
};

export const invalidRegistrationToken = (presented = true): OAuthError =>
  invalidToken('The registration access token is not valid for this address.', 'registration_token_invalid', presented);

/** Who presented no token is told how to, and of no error in the challenge (RFC 6750 §3.1). */
const invalidToken = (description: string, reason: DenialReason, presented = true): OAuthError =>
  new OAuthError('invalid_token', description, reason, {
    headers: { 'www-authenticate': `Bearer realm="authserver"${presented ? ', error="invalid_token"' : ''}` },
  });
