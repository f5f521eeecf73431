/**
 * The name of a cookie that only this host may have set: over https with a prefix that browsers refuse to a sister host and
 * to plain http (RFC 6265bis §4.1.3.2). Without it either could plant a session of the attacker's own, for one path, before
 * the person's.
 */
export const hostCookie = (name: string, secure: boolean): string =>
  secure && !/^__(Host|Secure)-/i.test(name) ? `__Host-${name}` : name;
