import { federatedSubject, invalidGrant, OAuthError } from '@authserver/oauth';
import type { ResolvedSubject } from '@authserver/store';

/** The subject of a token for an assertion: an account here, or somebody known by issuer and subject alone. */
export type LocalSubject = { subject: string; userId: string | undefined };

/**
 * Whom a subject of an identity provider means here. Never found by an e-mail address: whoever may change theirs at one
 * identity provider would be somebody else here.
 *
 * A mapping to an account that is disabled or gone refuses, as a sign-in of that person would be; it does not make somebody
 * new of them.
 *
 * @throws {OAuthError} `invalid_grant`, or `access_denied` when nobody has said who it is and somebody must (`strict`)
 */
export const localSubject = (
  issuer: string,
  subject: string,
  { userId, userActive }: ResolvedSubject,
  mode: 'auto_map' | 'strict',
): LocalSubject => {
  if (typeof userId === 'string') {
    if (!userActive) throw invalidGrant('user_not_active');
    return { subject: userId, userId };
  }
  if (userId === undefined && mode === 'strict')
    throw new OAuthError('access_denied', 'The subject of the assertion is not known here.', 'subject_unmapped');
  return { subject: federatedSubject(issuer, subject), userId: undefined };
};
