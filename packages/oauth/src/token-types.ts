/** Token type identifiers (RFC 8693 §3) of what this server can read and issue: its access tokens, which are JWTs. */
export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
export const jwtTokenType = 'urn:ietf:params:oauth:token-type:jwt';

export const isAccessTokenType = (type: string): boolean => type === accessTokenType || type === jwtTokenType;
