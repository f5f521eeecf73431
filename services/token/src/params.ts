import type { FormParams } from '@authserver/http';
import { type GrantType, invalidRequest, repeatedParameters } from '@authserver/oauth';
import { z } from 'zod';

/**
 * The parameters of a protocol request (RFC 6749 §3.1, §3.2): each at most once, the empty ones as if they were absent,
 * unknown ones kept for whoever ignores them. `resource` may repeat (RFC 8707 §2), and `audience` in a token exchange (RFC 8693 §2.1).
 */
export type Params = { readonly [name: string]: string | undefined } & {
  readonly resources: readonly string[];
  readonly audiences: readonly string[];
};

const exchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** The form that was sent, as the form parser made it: there is nothing left to check. Empty where nothing was sent. */
export const formOf = ({ body }: { body: unknown }): FormParams => (body as FormParams | undefined) ?? {};

/** @throws {OAuthError} `invalid_request` when a parameter is repeated */
export const readParams = (raw: FormParams): Params => {
  const { params, repeated } = splitParams(raw);
  if (repeated.length > 0) throw invalidRequest(repeatedParameters(repeated), 'duplicate_parameter');
  return params;
};

/** For the authorization endpoint, which may answer some repetitions by redirect and must answer others by a page. */
export const splitParams = (raw: FormParams): { params: Params; repeated: string[] } => {
  const single: Record<string, string> = Object.create(null);
  const repeated: string[] = [];
  let resources: string[] = [];
  let audiences: string[] = [];
  for (const name in raw) {
    const value = raw[name] as string | string[];
    if (name === 'resource') resources = filledIn(value);
    else if (name === 'audience' && raw.grant_type === exchange) audiences = filledIn(value);
    else if (Array.isArray(value)) repeated.push(name);
    else if (value !== '') single[name] = value;
  }
  return { params: Object.assign(single, { resources, audiences }) as unknown as Params, repeated };
};

const filledIn = (value: string | string[]): string[] =>
  Array.isArray(value) ? value.filter((one) => one !== '') : value === '' ? [] : [value];

/** A field of a page's form or link. One that is repeated is a form nobody drew: treated as missing, like an empty one. */
export const PageField = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .transform((value) => (Array.isArray(value) || value === '' ? undefined : value));
