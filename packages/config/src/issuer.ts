const localHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * True for an http or https issuer on exactly `localhost`, `127.0.0.1` or `[::1]`. Everything else is production:
 * the rules in `production.ts` apply to it.
 */
export function isLocalhostIssuer(issuer: string): boolean {
  const url = URL.parse(issuer);
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && localHosts.has(url.hostname);
}

/** What is wrong with `issuer` as an issuer identifier (RFC 8414 §2), or undefined. Clients compare it byte for byte. */
export function issuerProblem(issuer: string): string | undefined {
  const url = URL.parse(issuer);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) return 'expected an http or https URL';
  if (url.username || url.password) return 'must not contain a user name or password';
  if (issuer.includes('?')) return 'must not have a query (RFC 8414 §2)';
  if (issuer.includes('#')) return 'must not have a fragment (RFC 8414 §2)';
  if (issuer.endsWith('/')) return 'must not end with a slash';
  return undefined;
}
