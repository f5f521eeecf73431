const absoluteUri = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#@\s\\]+)(\/[^?#\s\\]*)?(\?[^#\s\\]*)?$/;

/**
 * The identity of a resource indicator (RFC 8707 §2): scheme and host in lower case, an empty path as `/`, all else byte
 * for byte. `undefined` when the value is not an absolute URI without fragment and user info.
 */
export const resourceKey = (uri: string): string | undefined => {
  const match = absoluteUri.exec(uri);
  if (!match || uri.length > 2048) return undefined;
  const [, scheme, authority, path, query] = match;
  if (scheme === undefined || authority === undefined) return undefined;
  return `${scheme.toLowerCase()}://${authority.toLowerCase()}${path ?? '/'}${query ?? ''}`;
};

export const sameResource = (left: string, right: string): boolean => {
  const key = resourceKey(left);
  return key !== undefined && key === resourceKey(right);
};

export const slugPattern = /^[a-z0-9][a-z0-9-]{0,63}$/;
