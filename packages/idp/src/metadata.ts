import { z } from 'zod';
import { type Ask, IdpTrouble, parseJson } from './ask.ts';

const maxMetadataBytes = 128 * 1024;

const Metadata = z.object({ issuer: z.string(), jwks_uri: z.string().max(2000) });

/** What we use of an OpenID provider (OpenID Connect Discovery §3, RFC 9207 §3). */
export const ProviderMetadata = Metadata.extend({
  authorization_endpoint: z.string().max(2000),
  token_endpoint: z.string().max(2000),
  userinfo_endpoint: z.string().max(2000).optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  scopes_supported: z.array(z.string()).optional(),
  prompt_values_supported: z.array(z.string()).optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});
export type ProviderMetadata = z.infer<typeof ProviderMetadata>;

/** Where the keys of an issuer are, by its metadata. @throws {IdpTrouble} */
export const findJwksUri = async (ask: Ask, issuer: string): Promise<string> =>
  (await findMetadata(ask, issuer, Metadata, 'issuer and jwks_uri')).jwks_uri;

/** @throws {IdpTrouble} */
export const findProvider = (ask: Ask, issuer: string): Promise<ProviderMetadata> =>
  findMetadata(ask, issuer, ProviderMetadata, 'issuer, jwks_uri, authorization_endpoint and token_endpoint');

const findMetadata = async <Found extends { issuer: string }>(
  ask: Ask,
  issuer: string,
  schema: z.ZodType<Found>,
  members: string,
): Promise<Found> => {
  const told: string[] = [];
  for (const url of metadataUrls(issuer)) {
    const { status, body } = await ask(url, 'idp_metadata', maxMetadataBytes);
    if (status !== 200) {
      told.push(`${url} answered ${status}`);
      continue;
    }
    const metadata = schema.safeParse(parseJson(body)).data;
    if (!metadata) throw new IdpTrouble(`${url} is no metadata with ${members}`);
    // RFC 8414 §3.3: otherwise one host could hand out keys in the name of another.
    if (metadata.issuer !== issuer) throw new IdpTrouble(`${url} speaks for another issuer`);
    return metadata;
  }
  throw new IdpTrouble(told.join(', '));
};

/** OpenID Connect Discovery §4 appends its path to the issuer, RFC 8414 §3.1 puts its own between host and path. */
export const metadataUrls = (issuer: string): string[] => {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
};
