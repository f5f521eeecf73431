import type { Client } from '@authserver/store';

/** Whether the refresh token grant is for this client: it registered for it, or an operator gives it one regardless. */
export const mayRefresh = (client: Client): boolean =>
  client.refreshTokenPolicy === 'always' || client.grantTypes.includes('refresh_token');

/**
 * Whether a user's authorization comes with a refresh token. As a rule registering for the grant is enough; whether
 * `offline_access` was asked for matters only to a client whose policy says so.
 */
export const getsRefreshToken = (client: Client, offlineAccess: boolean): boolean =>
  mayRefresh(client) && (client.refreshTokenPolicy !== 'offline_access' || offlineAccess);
