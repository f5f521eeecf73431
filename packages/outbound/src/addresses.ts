import { BlockList, isIPv4, isIPv6 } from 'node:net';

/**
 * IPv4 that is not the public internet: the IANA special-purpose registry (RFC 6890), multicast, and the one public
 * address that a large cloud answers on from inside every machine.
 */
const specialIpv4: readonly [network: string, prefix: number][] = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // shared by carriers (RFC 6598)
  ['127.0.0.0', 8], // loopback
  ['168.63.129.16', 32], // platform services of Azure
  ['169.254.0.0', 16], // link-local, and with it the metadata services of clouds
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
];

/** Inside 2000::/3, the only part of IPv6 that is in public use, what is not a public host either. */
const specialIpv6: readonly [network: string, prefix: number][] = [
  ['2001::', 23], // protocol assignments: Teredo, ORCHID, benchmarks
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4: carries an IPv4 address past our list
  ['3fff::', 20], // documentation
];

const listOf = (networks: typeof specialIpv4, family: 'ipv4' | 'ipv6'): BlockList => {
  const list = new BlockList();
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, family);
  return list;
};

const refusedIpv4 = listOf(specialIpv4, 'ipv4');
const refusedIpv6 = listOf(specialIpv6, 'ipv6');
const globalIpv6 = listOf([['2000::', 3]], 'ipv6');
const translated = listOf([['64:ff9b::', 96]], 'ipv6');

/**
 * Whether an address literal (no brackets, no zone) is a host of the public internet. IPv6 is refused unless it lies in
 * the part that is assigned to hosts, so what a later registry adds is refused as well; IPv4 in IPv6 is refused however it
 * is written, but for NAT64 (RFC 6052), where name servers make it up and the IPv4 address in it decides.
 */
export const isPublicAddress = (address: string): boolean => {
  if (isIPv4(address)) return !refusedIpv4.check(address, 'ipv4');
  if (!isIPv6(address) || address.includes('%')) return false;
  if (translated.check(address, 'ipv6')) return isPublicAddress(embeddedIpv4(address));
  return globalIpv6.check(address, 'ipv6') && !refusedIpv6.check(address, 'ipv6');
};

/** The last 32 bits of an address under 64:ff9b::/96, in dotted form. */
const embeddedIpv4 = (address: string): string => {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1); // hexadecimal, zeros as `::`
  const tail = (canonical.split('::')[1] ?? '').split(':').filter((group) => group !== '');
  const [high = 0, low = 0] = ['0', '0', ...tail].slice(-2).map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
};
