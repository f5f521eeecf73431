import {
  ClientMetadata,
  type GrantType,
  metadataProblems,
  OAuthError,
  readSelfDescription,
  redirectKind,
  type SelfDescription,
} from '@authserver/oauth';
import { OutboundError, type OutboundPolicy, readTarget } from '@authserver/outbound';
import type { z } from 'zod';
import { type RedirectRules, refusedRedirects } from './registration-policy.ts';

/** What a client asks to be registered as, checked. */
export type RequestedRegistration = { metadata: ClientMetadata; selfDescription: SelfDescription };

export type RegistrationRules = {
  enabledGrants: readonly GrantType[];
  /** Where we would go to fetch the keys of a client. */
  outboundPolicy: OutboundPolicy;
};

type Problem = {
  member: string;
  message: string;
  /** Nothing is wrong with it as metadata; the operator does not allow it. */
  notApproved?: true;
};

const longestDescription = 4000;

/**
 * Reads client metadata (RFC 7591 §2). Members we do not know are ignored, as §2 demands, and a software statement is one
 * of them: none is trusted here, so none lends its claims to anybody.
 *
 * @throws {OAuthError} `invalid_redirect_uri` or `invalid_client_metadata` (§3.2.2), naming every problem
 */
export const readRegistration = (
  body: unknown,
  { enabledGrants, outboundPolicy }: RegistrationRules,
  redirects: RedirectRules,
): RequestedRegistration => {
  const members = withOfferedGrants(withoutNulls(body), enabledGrants);
  const parsed = ClientMetadata.safeParse(members);
  if (!parsed.success)
    throw invalidMetadata([
      ...schemaProblems(parsed.error.issues, members, enabledGrants),
      // The others of the list too: whoever mends one should not hear of the next only then.
      ...redirectPolicyProblems(soundRedirects(members), redirects),
    ]);
  const metadata = parsed.data;
  const problems: Problem[] = [
    // The type is what the addresses make it; see applicationTypeOf().
    ...metadataProblems({ ...metadata, application_type: 'native' }),
    ...metadata.grant_types
      .filter((type) => !enabledGrants.includes(type))
      .map((type) => ({ member: 'grant_types', message: `grant type ${type} is not offered here` })),
    ...keyAddressProblems(metadata, outboundPolicy),
    ...redirectPolicyProblems(metadata.redirect_uris, redirects),
  ];
  if (problems.length > 0) throw invalidMetadata(problems);
  return {
    metadata,
    selfDescription: readSelfDescription(members as Record<string, unknown>, metadata.redirect_uris),
  };
};

export const invalidMetadata = (problems: readonly Problem[]): OAuthError =>
  new OAuthError(
    problems.every(({ member }) => member === 'redirect_uris') ? 'invalid_redirect_uri' : 'invalid_client_metadata',
    problems
      .map(({ message }) => message)
      .join('; ')
      .slice(0, longestDescription),
    problems.every(({ notApproved }) => notApproved) ? 'redirect_not_approved' : 'invalid_client_metadata',
  );

/** What the schema says, in words for whoever writes a client. A member of the wrong type has no other problem. */
const schemaProblems = (
  issues: readonly z.core.$ZodIssue[],
  members: unknown,
  enabledGrants: readonly GrantType[],
): Problem[] => {
  const pathOf = ({ path }: z.core.$ZodIssue): string => path.join('.');
  const mistyped = new Set(issues.filter(({ code }) => code === 'invalid_type').map(pathOf));
  return issues
    .filter((issue) => issue.code === 'invalid_type' || !mistyped.has(pathOf(issue)))
    .map((issue) => {
      const [member = '', index] = issue.path.map(String);
      if (member === '') return { member, message: 'expected a JSON object' };
      const isGrant = member === 'grant_types' && index !== undefined && issue.code === 'invalid_value';
      const message = isGrant ? `is not offered here; offered are ${enabledGrants.join(', ')}` : issue.message;
      return { member, message: `${pathOf(issue)}: ${isGrant ? `${grantAt(members, index)} ` : ''}${message}` };
    });
};

const grantAt = (members: unknown, index: string): string =>
  String((members as { grant_types: unknown[] }).grant_types[Number(index)]).slice(0, 80);

/** Those of a list that has other faults which are redirect URIs at all, and few enough to be named. */
const soundRedirects = (members: unknown): string[] => {
  const uris = (members as { redirect_uris?: unknown } | null)?.redirect_uris;
  return Array.isArray(uris)
    ? uris.slice(0, 10).filter((uri) => typeof uri === 'string' && redirectKind(uri) !== undefined)
    : [];
};

const redirectPolicyProblems = (uris: readonly string[], rules: RedirectRules): Problem[] =>
  refusedRedirects(uris, rules).map((message) => ({ member: 'redirect_uris', message, notApproved: true }));

/** An address of keys that we would never go to is better told now than at the first assertion. */
const keyAddressProblems = (metadata: ClientMetadata, policy: OutboundPolicy): Problem[] => {
  if (metadata.jwks_uri === undefined || metadata.token_endpoint_auth_method !== 'private_key_jwt') return [];
  try {
    readTarget(metadata.jwks_uri, policy);
    return [];
  } catch (error) {
    if (error instanceof OutboundError) return [{ member: 'jwks_uri', message: `jwks_uri ${error.message}` }];
    throw error;
  }
};

/** Some serialisers write what is absent as `null`, and RFC 7592 §2.2 reads it so. */
export const withoutNulls = (body: unknown): unknown =>
  typeof body === 'object' && body !== null && !Array.isArray(body)
    ? Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
    : body;

/**
 * Clients list every grant they could use. Those we do not offer are left out of the registration, as RFC 7591 §3.2.1
 * allows and the answer shows, as long as one remains; otherwise turning off one grant would lock out every client that
 * merely knows it.
 */
const withOfferedGrants = (body: unknown, enabledGrants: readonly GrantType[]): unknown => {
  const asked = (body as { grant_types?: unknown } | undefined)?.grant_types;
  if (!Array.isArray(asked)) return body;
  const offered = asked.filter((type) => enabledGrants.includes(type));
  return offered.length > 0 ? { ...(body as object), grant_types: offered } : body;
};
