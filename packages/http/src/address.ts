import { isIP } from 'node:net';

/**
 * What a client address counts as. An IPv4 address is itself, however it is written; of an IPv6 address only the first
 * 64 bits count, because that is what one subscriber gets (RFC 6177, RFC 7421): whoever has one has all the others in it.
 */
export const addressKey = (ip: string): string => {
  if (!ip.includes(':')) return ip;
  if (ip.startsWith('::ffff:') && ip.includes('.')) return ip.slice('::ffff:'.length); // as a dual-stack socket says it
  const groups = ipv6Groups(ip);
  if (!groups) return ip;
  const [first = 0, second = 0, third = 0, fourth = 0, fifth, sixth, seventh = 0, eighth = 0] = groups;
  const mapped = first + second + third + fourth === 0 && fifth === 0 && sixth === 0xffff; // RFC 4291 §2.5.5.2
  if (mapped) return [seventh >> 8, seventh & 0xff, eighth >> 8, eighth & 0xff].join('.');
  return `${[first, second, third, fourth].map((group) => group.toString(16)).join(':')}::/64`;
};

/** The eight groups of an IPv6 address in any of its spellings (RFC 4291 §2.2), without a zone. */
const ipv6Groups = (ip: string): number[] | undefined => {
  const [address = ''] = ip.split('%');
  if (isIP(address) !== 6) return undefined;
  const [head = '', tail] = address.split('::');
  const before = readGroups(head);
  if (tail === undefined) return before;
  const after = readGroups(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
};

const readGroups = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((part) => (part.includes('.') ? readDotted(part) : [Number.parseInt(part, 16)]));

const readDotted = (text: string): number[] => {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
};
