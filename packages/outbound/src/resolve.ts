import { Resolver } from 'node:dns/promises';
import { isLocalName } from './target.ts';

/** All addresses of a host name. Rejects when there is none, or none in time. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

/**
 * Asks the name servers of the system. Not `getaddrinfo`: that occupies one of the few threads that also hash passwords,
 * so a slow name server of a stranger could stop logins, and it cannot be given up.
 */
export const resolveByNameServers: Resolve = async (host, signal) => {
  if (isLocalName(host)) return ['127.0.0.1', '::1'];
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel);
  try {
    const [ipv4, ipv6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = [ipv4, ipv6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length === 0 && ipv4.status === 'rejected') throw ipv4.reason;
    return found;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};
