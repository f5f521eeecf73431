import { type Config, isLocalhostIssuer, parseAddress } from '@authserver/config';
import type { WaitingListener } from '@authserver/http';

/** Which planes a process serves. */
export type Roles = { token: boolean; admin: boolean };

/** The ports of a process: the internal one stands in for the admin port, which has the same for whoever watches. */
export const listenersOf = ({ server, admin }: Config, roles: Roles): WaitingListener[] => {
  const loopbackOnly = isLocalhostIssuer(server.issuer);
  const at = (plane: WaitingListener['plane'], address: string): WaitingListener => ({
    plane,
    address: parseAddress(address),
    loopbackOnly,
  });
  return [
    ...(roles.token ? [at('token', server.address)] : []),
    ...(roles.admin ? [at('admin', admin.address)] : [at('internal', server.internal_address)]),
  ];
};
