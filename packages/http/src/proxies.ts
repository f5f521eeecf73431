import { BlockList, isIP } from 'node:net';

/** Whether an address is one of the trusted proxies. */
export type TrustedProxies = (address: string) => boolean;

/** Says whether an address is one of the trusted proxies (CIDR or plain address). */
export const trustedProxyCheck = (cidrs: readonly string[]): false | TrustedProxies => {
  if (cidrs.length === 0) return false;
  const trusted = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  return (address) => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/, ''); // IPv4 seen through a dual-stack socket
    const version = isIP(plain);
    return version !== 0 && trusted.check(plain, version === 6 ? 'ipv6' : 'ipv4');
  };
};

/**
 * The address a request comes from: the right-most one in `X-Forwarded-For` that a trusted proxy wrote and that is no
 * trusted proxy itself. What stands left of it is what somebody said about themselves, and is not read.
 *
 * An entry that is no address is not believed either: the request then counts as coming from the proxy that passed it on,
 * because a name of the sender's choosing would be a fresh budget for each request.
 */
export const clientAddress = (peer: string, forwardedFor: string | undefined, isTrusted: TrustedProxies): string => {
  let address = peer;
  for (const entry of (forwardedFor ?? '').split(',').reverse()) {
    if (!isTrusted(address)) return address;
    const next = readAddress(entry.trim());
    if (next === undefined) return address;
    address = next;
  }
  return address;
};

/** Some proxies add the port, which an IPv6 address then needs brackets for. */
const readAddress = (entry: string): string | undefined => {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
  return isIP(bare) ? bare : undefined;
};
