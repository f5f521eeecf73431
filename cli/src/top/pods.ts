/** Which processes are looked at: every address behind the names an operator gave, asked for anew each time. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { usageFailure } from '../failure.ts';

/** Where the metrics of one process are. */
export type Pod = {
  name: string;
  url: URL;
  /** One of those its host name has, when it has several. */
  address?: string;
  /** Why nobody knows where it is. */
  problem?: string;
};

const internalPort = 9002;

/**
 * Reads what `--pod` takes: a URL, whose path is `/metrics` unless it has one, or a host with or without a port.
 *
 * @throws {CommandFailure} usage
 */
export const parsePod = (text: string): URL => {
  const hasScheme = /^[a-z][a-z+.-]*:\/\//i.test(text);
  const url = URL.parse(hasScheme ? text : `http://${text}`);
  if (!url || !/^https?:$/.test(url.protocol))
    throw usageFailure('--pod expects an http or https URL, or a host and a port');
  if (url.username || url.password || url.search || url.hash)
    throw usageFailure('--pod takes no user info, query or fragment');
  if (!hasScheme && !/:\d+(?:\/|$)/.test(text)) url.port = String(internalPort);
  if (url.pathname === '/') url.pathname = '/metrics';
  return url;
};

/**
 * The processes behind a URL: one for each address of its host, so that the name of a headless service means all its pods. A
 * machine that has addresses of both families is there once. This machine is one process, whatever its name resolves to.
 *
 * @throws {Error} when the name is unknown, or nobody can say
 */
export const podsAt = async (url: URL): Promise<Pod[]> => {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) || host === 'localhost' || host.endsWith('.localhost')) return [{ name: url.host, url }];
  const all = await lookup(host, { all: true });
  const family = all.some((one) => one.family === 4) ? 4 : 6;
  const addresses = [...new Set(all.filter((one) => one.family === family).map(({ address }) => address))];
  if (addresses.length === 1) return [{ name: url.host, url }];
  const port = url.port === '' ? '' : `:${url.port}`;
  return addresses.map((address) => ({ name: `${family === 6 ? `[${address}]` : address}${port}`, url, address }));
};
