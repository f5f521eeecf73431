import type { Config } from '@authserver/config';
import type { ProviderMetadata } from '@authserver/idp';
import { RefusedSignIn } from './refused.ts';

/**
 * Who we are, at the token endpoint of the provider (OpenID Connect Core §9): by HTTP Basic, which every provider must offer
 * that says nothing else, or in the form where only that is offered.
 */
export const clientAuthentication = (
  { client_id: id = '', client_secret: secret = '' }: Config['oidc'],
  { token_endpoint_auth_methods_supported: offered = ['client_secret_basic'] }: ProviderMetadata,
): { authorization: string | undefined; fields: Record<string, string> } => {
  if (offered.includes('client_secret_basic')) {
    const credentials = Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64');
    return { authorization: `Basic ${credentials}`, fields: {} };
  }
  if (offered.includes('client_secret_post'))
    return { authorization: undefined, fields: { client_id: id, client_secret: secret } };
  throw new RefusedSignIn(
    'oidc_provider_unavailable',
    'the token endpoint takes neither client_secret_basic nor client_secret_post',
  );
};

/** As a form would be (RFC 6749 §2.3.1). */
const encode = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);
