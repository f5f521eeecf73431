import { BlockList, isIP } from 'node:net';

/** Says whether an address is one of the trusted proxies (CIDR or plain address). */
export const trustedProxyCheck = (cidrs: readonly string[]): false | ((address: string) => boolean) => {
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
