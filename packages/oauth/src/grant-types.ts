/** The grant types this server knows, in the order metadata lists them (RFC 8414 §2 `grant_types_supported`). */
export const grantTypes = [
  'authorization_code', // RFC 6749 §4.1
  'refresh_token', // RFC 6749 §6
  'client_credentials', // RFC 6749 §4.4
  'urn:ietf:params:oauth:grant-type:token-exchange', // RFC 8693 §2.1
  'urn:ietf:params:oauth:grant-type:jwt-bearer', // RFC 7523 §2.1
  'urn:ietf:params:oauth:grant-type:device_code', // RFC 8628 §3.4
] as const;

export type GrantType = (typeof grantTypes)[number];

export const isGrantType = (value: string): value is GrantType => (grantTypes as readonly string[]).includes(value);

/** Grants in which no person takes part; they need a confidential client and a ceiling. */
export const machineGrantTypes: readonly GrantType[] = [
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
];

/** Grants that are refused to a client without credentials (RFC 6749 §4.4, RFC 8693 §5, ID-JAG §8.1). */
export const confidentialGrantTypes: readonly GrantType[] = [
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
];

/** The `response_types` that go with them (RFC 7591 §2.1). */
export const responseTypesOf = (grantTypes: readonly GrantType[]): string[] =>
  grantTypes.includes('authorization_code') ? ['code'] : [];
