/**
 * Redirect URIs: what may be registered, and when a presented one is the registered one.
 *
 * Everything works on the raw string. A URL parser normalises (`127.1`, tabs, case, `\`), and each normalisation is a way
 * to make two different strings look alike.
 */

const loopback = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::([0-9]{1,5}))?(\/[^#]*)?$/;
const https = /^https:\/\/([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?([/?][^#]*)?$/;
const privateUse = /^([a-z][a-z0-9+.-]*):(?!$)/;
const printable = /^[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+$/;

/** Schemes that a browser or the system runs, opens or treats specially: never a redirect target (nor is `ms-*`). */
const forbiddenSchemes = new Set(
  'javascript data vbscript blob file filesystem about view-source ws wss ftp http https mailto tel sms intent content jar chrome chrome-extension moz-extension resource shell ssh smb ldap ldaps search-ms android-app'.split(
    ' ',
  ),
);

export type RedirectKind = 'https' | 'loopback' | 'private-use';

/** What kind of redirect URI this is, or `undefined` when it may not be registered at all (RFC 6749 §3.1.2, RFC 8252 §7). */
export const redirectKind = (uri: string): RedirectKind | undefined => {
  const parsed = uri.length <= 2000 && printable.test(uri) ? URL.parse(uri) : null;
  if (!parsed) return undefined;
  const host = https.exec(uri)?.[1];
  if (host !== undefined) return parsed.hostname === host.toLowerCase() ? 'https' : undefined; // 127.1 is 127.0.0.1 to a browser
  const local = loopback.exec(uri);
  if (local) return isPort(local[2]) ? 'loopback' : undefined;
  const scheme = privateUse.exec(uri)?.[1];
  return scheme !== undefined && !forbiddenSchemes.has(scheme) && !scheme.startsWith('ms-') ? 'private-use' : undefined;
};

/**
 * Whether `presented` is one of the registered URIs: equal as strings (RFC 9700 §2.1), or a loopback address that differs
 * in the port alone (RFC 8252 §7.3; `localhost` is treated alike because clients use it).
 */
export const isRegisteredRedirectUri = (registered: readonly string[], presented: string): boolean => {
  if (registered.includes(presented)) return redirectKind(presented) !== undefined;
  const wanted = loopback.exec(presented);
  if (!wanted || redirectKind(presented) === undefined) return false;
  return registered.some((uri) => {
    const known = loopback.exec(uri);
    return (
      known !== null &&
      redirectKind(uri) !== undefined &&
      known[1] === wanted[1] &&
      (known[3] ?? '') === (wanted[3] ?? '')
    );
  });
};

/** Adds our response parameters once, keeping a query the client registered and dropping its copies of our names. */
export const withResponseParams = (redirectUri: string, params: Record<string, string | undefined>): string => {
  const clean = withoutResponseParams(redirectUri, Object.keys(params));
  const ours = Object.entries(params).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  );
  return `${clean}${clean.includes('?') ? '&' : '?'}${ours.join('&')}`;
};

/** A redirect URI without what a response would add: a client that registered `?code=…` must not read it as our answer. */
export const withoutResponseParams = (redirectUri: string, names: readonly string[]): string => {
  const [base = '', query = ''] = splitOnce(redirectUri, '?');
  const kept = query.split('&').filter((pair) => pair !== '' && !names.includes(nameOf(pair)));
  return kept.length > 0 ? `${base}?${kept.join('&')}` : base;
};

/** The name as a form reader sees it: `c%6Fde` is `code`. */
const nameOf = (pair: string): string => [...new URLSearchParams(pair).keys()][0] ?? '';

const splitOnce = (text: string, separator: string): [string, string] => {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
};

const isPort = (port: string | undefined): boolean =>
  port === undefined || (Number(port) >= 1 && Number(port) <= 65535);
