/**
 * Every audit action, with when it is written. The admin API and the docs read this list, and a repository refuses an
 * action that is not in it.
 */
export const auditActions = {
  'user.login': 'A user signed in with a password.',
  'user.login_failed': 'A sign-in was refused; the submitted address is not kept.',
  'user.logout': 'A user signed out.',
  'consent.granted': 'A user allowed a client.',
  'consent.denied': 'A user refused a client.',
  'client.registered': 'A client registered itself.',
  'auth_code.reused': 'An authorization code was presented again.',
  'family.revoked': 'A refresh token family was revoked because a token of it was presented twice.',
  'token.revoked': 'A token was revoked at the revocation endpoint or by an operator.',
  'token.introspect_denied': 'A caller asked about a token that is none of its business.',
  'client.created_admin': 'An operator created a client.',
  'client.updated': 'An operator changed a client.',
  'client.suspended': 'An operator suspended a client.',
  'client.reactivated': 'An operator reactivated a client.',
  'client.revoked': 'An operator revoked a client for good.',
  'client.secret_rotated': 'An operator replaced the secret of a client.',
  'client.deleted': 'An operator deleted a client.',
  'user.created': 'An operator created a user.',
  'user.updated': 'An operator changed a user.',
  'user.password_set': 'An operator set the password of a user.',
  'user.disabled': 'An operator disabled a user.',
  'user.enabled': 'An operator enabled a user.',
  'user.force_logout': 'An operator ended all sessions and token families of a user.',
  'user.deleted': 'An operator deleted a user.',
  'resource.created': 'An operator or the configuration created a resource.',
  'resource.patched': 'An operator changed a resource.',
  'resource.deleted': 'An operator deleted a resource.',
  'resource.policy.exchange.allowed_client.added': 'An operator let a client exchange tokens for a resource.',
  'resource.policy.exchange.allowed_client.removed':
    'An operator no longer lets a client exchange tokens for a resource.',
  'resource.policy.runtime.client.added': 'An operator let a client act as a resource.',
  'resource.policy.runtime.client.removed': 'An operator no longer lets a client act as a resource.',
  'resource.policy.connect.allowed_return_url.added': 'An operator allowed a return URL of connect flows.',
  'resource.policy.connect.allowed_return_url.removed': 'An operator removed a return URL of connect flows.',
  'consent_grant.revoked_admin': 'An operator revoked a consent grant and what was issued under it.',
  'issuance.revoked_admin': 'An operator revoked one issued token and its descendants.',
  'key.rotated': 'The signing key was rotated.',
  'dcr.mode_updated': 'The registration mode was changed.',
} as const;

export type AuditAction = keyof typeof auditActions;
