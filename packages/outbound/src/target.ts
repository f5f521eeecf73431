import { isIP } from 'node:net';
import { isPublicAddress } from './addresses.ts';
import { OutboundError } from './errors.ts';

export type OutboundPolicy = {
  /** Also `http:` URLs; for a server on localhost. */
  allowHttp: boolean;
  /** Also hosts that are not on the public internet; for a server on localhost. */
  allowPrivateAddresses: boolean;
};

export type OutboundTarget = {
  url: URL;
  /** As it is resolved and verified in TLS: a name, or an address without brackets. */
  host: string;
  isAddress: boolean;
};

/** Ports below 1024 belong to services that do not expect an HTTP client (the first is where a web server is). */
const lowestFreePort = 1024;
/** Above it, what browsers refuse as well because a request there could be taken for a command. */
const forbiddenPorts = [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669];

/**
 * Where a URL leads, if we may go there as far as the URL itself tells. Addresses in any spelling the URL parser knows
 * (decimal, octal, hexadecimal) are addresses here.
 *
 * @throws {OutboundError} `forbidden`
 */
export const readTarget = (text: string, policy: OutboundPolicy): OutboundTarget => {
  const refuse = (message: string): never => {
    throw new OutboundError('forbidden', message);
  };
  const url = URL.parse(text) ?? refuse('is not a URL');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && policy.allowHttp)) refuse('must use https');
  if (url.username !== '' || url.password !== '') refuse('must not contain user information');
  const port = url.port === '' ? undefined : Number(url.port);
  if (port !== undefined && (port < lowestFreePort || forbiddenPorts.includes(port))) refuse('uses a forbidden port');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '' || host.endsWith('.')) refuse('must name its host without a trailing dot');
  const isAddress = isIP(host) !== 0;
  if (!policy.allowPrivateAddresses) {
    if (isAddress && !isPublicAddress(host)) refuse('points to an address that is not on the public internet');
    if (isLocalName(host)) refuse('points to this machine');
  }
  return { url, host, isAddress };
};

/** RFC 6761 §6.3: never resolved by a name server. */
export const isLocalName = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost');
