import { redirectKind } from './redirect-uri.ts';

/**
 * Why a redirect URI may not be registered, as the end of a sentence that begins with the URI; `undefined` when it may.
 * What may is decided by `redirectKind` alone: this only finds the words.
 */
export const redirectProblem = (uri: string): string | undefined => {
  if (redirectKind(uri) !== undefined) return undefined;
  if (uri.length > 2000) return 'is longer than 2000 characters';
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(uri)) return 'is not an absolute URI';
  if (uri.includes('#')) return 'has a fragment, which a redirect URI must not have';
  if (/^https?:\/\/[^/?]*@/i.test(uri)) return 'carries user info in front of the host';
  if (uri.includes('*')) return 'has a wildcard: register each address';
  if (/^http:/i.test(uri))
    return isLocal(uri)
      ? 'must be written as http://localhost, http://127.0.0.1 or http://[::1], in lower case, with a port from 1 to 65535 or none'
      : 'uses http, which is for localhost, 127.0.0.1 and [::1] only: use https';
  if (/^https:/i.test(uri)) return 'is not an https URI that every parser reads alike';
  return 'has a scheme that may not be used for redirects: use https, loopback http or a private-use scheme in lower case';
};

const isLocal = (uri: string): boolean => {
  const host = URL.parse(uri)?.hostname ?? /^http:\/\/([^/:?]*)/i.exec(uri)?.[1]?.toLowerCase();
  return host === 'localhost' || host === '127.0.0.1' || host === '[::1]';
};
