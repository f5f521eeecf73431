import { timingSafeEqual } from 'node:crypto';
import {
  applicationTypeOf,
  type ClientMetadata,
  hashClientSecret,
  newClientId,
  responseTypesOf,
} from '@authserver/oauth';
import type { Client, NewClient, Registration, ReplacedRegistration } from '@authserver/store';
import {
  invalidMetadata,
  type RegistrationRules,
  type RequestedRegistration,
  readRegistration,
  withoutNulls,
} from './registration-metadata.ts';
import { privilegesOf, type RedirectRules } from './registration-policy.ts';
import { fingerprintOf } from './registration-sharing.ts';

const unnamed = 'Unnamed client';

/** A client as its registration makes it. What gives rights (ids, secrets, scope, status) is ours to choose. */
export const toNewClient = (metadata: ClientMetadata, defaultCeiling: string | undefined): NewClient => {
  const { grantTypes, ceiling } = privilegesOf(metadata.grant_types, defaultCeiling);
  return {
    clientId: newClientId(),
    clientName: metadata.client_name ?? unnamed,
    redirectUris: metadata.redirect_uris,
    grantTypes,
    responseTypes: responseTypesOf(grantTypes),
    tokenEndpointAuthMethod: metadata.token_endpoint_auth_method,
    applicationType: applicationTypeOf(metadata),
    ceiling,
    registrationSource: 'dcr',
    cimdUrl: undefined,
    // Keys are for a client that signs; whoever does not has no use for them, and we fetch nothing for it.
    ...(metadata.token_endpoint_auth_method === 'private_key_jwt'
      ? { jwks: metadata.jwks, jwksUri: metadata.jwks_uri }
      : {}),
    agent: metadata.agent,
    agentDescription: metadata.agent_description,
    dpopBoundAccessTokens: metadata.dpop_bound_access_tokens,
    requirePushedAuthorizationRequests: metadata.require_pushed_authorization_requests,
  };
};

/** The one response type and the one grant that uses it come and go together (RFC 7591 §2.1). */
/** Ours to say, never the client's to send back (RFC 7592 §2.2). */
const ours = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
] as const;

/** What a client may not become: another method needs other credentials, and an agent stays known as one. */
const fixed = {
  token_endpoint_auth_method: (client: Client) => client.tokenEndpointAuthMethod,
  agent: (client: Client) => client.agent,
} as const;

export type UpdateRules = RegistrationRules & {
  clientSecretPepper: string | undefined;
  now: Date;
  redirects: RedirectRules;
};

/**
 * The metadata a client asks to have instead of its present one (RFC 7592 §2.2): what is left out goes back to its
 * default. Who it is, its credentials and its rights are not metadata: they stay, and grants can only be given up, because
 * an operator may have taken one away, or given a ceiling that was meant for the others.
 *
 * @throws {OAuthError} `invalid_redirect_uri` or `invalid_client_metadata`, naming what is wrong
 */
export const readReplacement = (body: unknown, client: Client, rules: UpdateRules): RequestedRegistration => {
  const members = withoutNulls(body) as Record<string, unknown>;
  if (typeof members !== 'object' || members === null || Array.isArray(members))
    throw invalidMetadata([{ member: '', message: 'expected a JSON object' }]);
  const problems = [
    ...(members.client_id === client.clientId ? [] : ['client_id must be the id of this registration']),
    ...(secretMatches(members.client_secret, client, rules) ? [] : ['client_secret is not the one of this client']),
    ...ours.filter((name) => Object.hasOwn(members, name)).map((name) => `${name} must not be sent`),
    ...Object.entries(fixed)
      .filter(([name, of]) => Object.hasOwn(members, name) && members[name] !== of(client))
      .map(([name]) => `${name} cannot change, register another client`),
  ];
  if (problems.length > 0) throw invalidMetadata(problems.map((message) => ({ member: 'client_id', message })));

  const kept = Object.fromEntries(Object.entries(fixed).map(([name, of]) => [name, of(client)]));
  const requested = readRegistration({ grant_types: client.grantTypes, ...members, ...kept }, rules, rules.redirects);
  const gained = requested.metadata.grant_types.filter((type) => !client.grantTypes.includes(type));
  if (gained.length > 0)
    throw invalidMetadata([
      { member: 'grant_types', message: `${gained.join(', ')} cannot be added, register another client` },
    ]);
  return requested;
};

/** A secret may come along and must then be the present one; it is never replaced by it (RFC 7592 §2.2). */
const secretMatches = (presented: unknown, client: Client, { clientSecretPepper, now }: UpdateRules): boolean => {
  if (presented === undefined) return true;
  if (typeof presented !== 'string') return false;
  const given = hashClientSecret(presented, clientSecretPepper);
  return client.secrets
    .filter(({ expiresAt }) => !expiresAt || expiresAt > now)
    .map(({ hash }) => timingSafeEqual(hash, given))
    .includes(true);
};

/** The row after an update, of which `registrationTokenHash` is the new key. */
export const toReplacement = (
  { client }: Registration,
  { metadata, selfDescription }: RequestedRegistration,
  registrationTokenHash: Buffer,
): ReplacedRegistration => {
  const wanted = { ...toNewClient(metadata, undefined), clientId: client.clientId, ceiling: client.ceiling };
  return {
    clientId: client.clientId,
    clientName: wanted.clientName,
    redirectUris: wanted.redirectUris,
    grantTypes: wanted.grantTypes,
    responseTypes: wanted.responseTypes,
    applicationType: wanted.applicationType,
    agentDescription: wanted.agentDescription,
    jwks: wanted.jwks,
    jwksUri: wanted.jwksUri,
    // A demand that was made once stays: it may be the operator's, and a stolen registration token must not undo it.
    dpopBoundAccessTokens: client.dpopBoundAccessTokens || wanted.dpopBoundAccessTokens === true,
    requirePushedAuthorizationRequests:
      client.requirePushedAuthorizationRequests || wanted.requirePushedAuthorizationRequests === true,
    selfDescription,
    tokenHash: registrationTokenHash,
    fingerprint: fingerprintOf(wanted, selfDescription),
    identityChanged:
      wanted.clientName !== client.clientName ||
      wanted.redirectUris.some((uri) => !client.redirectUris.includes(uri)) ||
      wanted.jwksUri !== client.jwksUri ||
      JSON.stringify(wanted.jwks) !== JSON.stringify(client.jwks),
  };
};
