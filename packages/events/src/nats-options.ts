import { credsAuthenticator, type NodeConnectionOptions } from 'nats';
import type { NatsSettings } from './nats-settings.ts';

/** What the client is told. A URL may carry `user:password@` or `token@`, which the client itself would overlook. */
export const toConnectionOptions = (settings: NatsSettings, name: string): NodeConnectionOptions => {
  const urls = settings.url.map((url) => new URL(url));
  const inUrl = urls.find(({ username }) => username !== '');
  const username = decodeURIComponent(inUrl?.username ?? '');
  const password = decodeURIComponent(inUrl?.password ?? '');
  const user = settings.user ?? (password === '' ? undefined : username);
  const token = settings.token ?? (username !== '' && password === '' ? username : undefined);
  return {
    name,
    servers: urls.map(({ host }) => host),
    ...(settings.credentials === undefined
      ? user === undefined
        ? token !== undefined && { token }
        : { user, pass: settings.password ?? password }
      : { authenticator: credsAuthenticator(new TextEncoder().encode(settings.credentials)) }),
    ...(needsTls(settings, urls) && { tls: tlsFiles(settings) }),
    timeout: 5_000,
    pingInterval: 10_000, // a server that vanished is noticed within half a minute
    maxPingOut: 2,
    reconnect: false, // the one who keeps the connection opens a new one
  };
};

/** A server that offers TLS is spoken to with TLS anyway; these make it a condition. */
const needsTls = ({ tls }: NatsSettings, urls: readonly URL[]): boolean =>
  urls.some(({ protocol }) => protocol === 'tls:') || Object.values(tls).some((path) => path !== undefined);

/** Read at every new connection, so that a renewed certificate is taken up. */
const tlsFiles = ({ tls: { ca_path, cert_path, key_path } }: NatsSettings) => ({
  ...(ca_path !== undefined && { caFile: ca_path }),
  ...(cert_path !== undefined && { certFile: cert_path }),
  ...(key_path !== undefined && { keyFile: key_path }),
});
