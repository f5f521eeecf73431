/** A listen address. Without a host every interface is meant. */
export interface Address {
  host?: string;
  port: number;
}

const pattern = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^\s:/[\]]*)):(?<port>\d{1,5})$/;

/**
 * Reads `:9000`, `127.0.0.1:9000` or `[::1]:9000`. Port 0 asks the system for a free one.
 * @throws RangeError when the text is not an address.
 */
export function parseAddress(text: string): Address {
  const groups = pattern.exec(text)?.groups;
  const port = Number(groups?.port);
  if (!groups || port > 65_535) throw new RangeError('expected an address such as :9000, 127.0.0.1:9000 or [::1]:9000');
  const host = groups.v6 ?? groups.host;
  return host ? { host, port } : { port };
}

/** True when two listeners on these addresses would ask for the same port of the same interface. */
export function addressesCollide(one: Address, other: Address): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  const everyInterface = (address: Address) => !address.host || address.host === '0.0.0.0' || address.host === '::';
  return everyInterface(one) || everyInterface(other) || one.host === other.host;
}
