/** Where documents about an issuer or a resource are looked for, in the order in which clients look. */

/** RFC 8414 §3.1, then OpenID Connect Discovery with the path inserted, then appended, as MCP has its clients do. */
export const serverMetadataUrls = (issuer: string): string[] => {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    ...new Set([
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
      `${origin}${path}/.well-known/openid-configuration`,
    ]),
  ];
};

/** RFC 9728 §3.1: for this path, and, as clients fall back to, for the whole host. */
export const resourceMetadataUrls = (resource: string): string[] => {
  const { origin, pathname } = new URL(resource);
  const path = pathname.replace(/\/$/, '');
  return [
    ...new Set([
      `${origin}/.well-known/oauth-protected-resource${path}`,
      `${origin}/.well-known/oauth-protected-resource`,
    ]),
  ];
};

/** A parameter of a challenge (RFC 9110 §11.6.1), such as `resource_metadata` of RFC 9728 §5.1. */
export const challengeParameter = (header: string, name: string): string | undefined => {
  const match = new RegExp(`(?:^|[\\s,])${name}=(?:"([^"]*)"|([^\\s,]+))`, 'i').exec(header);
  return match?.[1] ?? match?.[2];
};
