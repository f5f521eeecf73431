/**
 * Signature algorithms a proof may use (RFC 9449 §4.2): asymmetric, and nothing else. `Ed25519` is what RFC 9864 calls
 * the one curve we take of `EdDSA`; clients send either name.
 */
export const dpopAlgorithms = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const;

/** The SHA-256 thumbprint of a key (RFC 7638), as `dpop_jkt` and `cnf.jkt` carry it. */
export const isThumbprint = (value: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(value);

/**
 * Whether `htu` names the endpoint: equal after syntax- and scheme-based normalization (RFC 3986 §6.2.2, §6.2.3), query
 * and fragment aside (RFC 9449 §4.3). What is no plain http URL equals nothing, not even itself.
 */
export const sameHtu = (htu: string, endpoint: string): boolean => {
  const normal = normalForm(htu);
  return normal !== undefined && normal === normalForm(endpoint);
};

const uri = /^(https?):\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]*))?(\/[^?#]*)?(?:\?[^#]*)?(?:#.*)?$/i;
/** The characters of RFC 3986 §2, each `%` with its two digits: parsers mend anything else, each in a way of its own. */
const characters = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*$/;
const defaultPorts: Readonly<Record<string, string>> = { http: '80', https: '443' };

const normalForm = (text: string): string | undefined => {
  const parts = characters.test(text) ? uri.exec(text) : null;
  if (!parts) return undefined;
  const [, scheme = '', host = '', port = '', path = '/'] = parts;
  const normalScheme = scheme.toLowerCase();
  const number = port.replace(/^0+(?=[0-9])/, '');
  const normalPort = number === '' || number === defaultPorts[normalScheme] ? '' : `:${number}`;
  return `${normalScheme}://${host.toLowerCase()}${normalPort}${withoutDotSegments(normalEscapes(path))}`;
};

/** Escapes of what needs none are undone, the others written in upper case (RFC 3986 §6.2.2.1, §6.2.2.2). */
const normalEscapes = (path: string): string =>
  path.replace(/%([0-9a-f]{2})/gi, (escaped, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase();
  });

/** RFC 3986 §5.2.4, for a path that starts with `/`. */
const withoutDotSegments = (path: string): string => {
  const segments = path.split('/').slice(1);
  const last = segments.at(-1);
  const kept: string[] = [];
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  if (last === '.' || last === '..') kept.push('');
  return `/${kept.join('/')}`;
};

/** What is told to whoever must prove a key and does not; where nobody can, nothing is issued. */
export const proofMissing = (
  what: string,
  { enabled }: { enabled: boolean },
): { error: 'invalid_dpop_proof' | 'invalid_request'; description: string } =>
  enabled
    ? { error: 'invalid_dpop_proof', description: `${what}: send a proof of possession in the DPoP header.` }
    : { error: 'invalid_request', description: `${what}, and DPoP is switched off here (dpop.enabled).` };
