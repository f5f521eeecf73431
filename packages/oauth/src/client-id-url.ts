/**
 * Client ids that are the URL of a metadata document (draft-ietf-oauth-client-id-metadata-document §3).
 *
 * An id is compared as a string everywhere, so only the one spelling a URL parser would give back is accepted: two ids
 * that lead to one document would be two clients, and a spelling that reads like another host would be a trap.
 */

/** Longest accepted; it is a key in the database and in the change feed. */
const maxClientIdUrlLength = 512;

/** Whether a client id is meant as a URL; the ids we issue never look like one. */
export const isClientIdUrl = (clientId: string): boolean => /^https?:/i.test(clientId);

/** What is wrong with a client id URL, in words for the developer of the client; `undefined` when nothing is. */
export const clientIdUrlProblem = (clientId: string, options: { allowHttp: boolean }): string | undefined => {
  if (clientId.length > maxClientIdUrlLength) return `must not be longer than ${maxClientIdUrlLength} characters`;
  const url = URL.parse(clientId);
  if (!url) return 'is not a valid URL';
  if (url.protocol !== 'https:' && !(options.allowHttp && url.protocol === 'http:')) return 'must use https';
  if (clientId.includes('#')) return 'must not have a fragment';
  if (url.username !== '' || url.password !== '' || clientId.split('/', 3)[2]?.includes('@'))
    return 'must not contain user information';
  if (url.hostname.endsWith('.')) return 'must name its host without a trailing dot';
  if (/^\/*$/.test(url.pathname)) return 'must have a path';
  if (url.href !== clientId)
    return 'must be written in its normal form: lower-case scheme and host, no default port, no . or .. in the path';
  return undefined;
};
