import { isRegisteredRedirectUri, OAuthError, repeatedParameters } from '@authserver/oauth';
import type { Client, TombstoneReason } from '@authserver/store';
import type { Params } from '../params.ts';
import { asksForSilence } from './prompts.ts';
import { type ResponseMode, readResponseMode } from './response-mode.ts';

/** Where a response may go once client and redirect URI are known to belong together. */
export type ResponseTarget = {
  client: Client;
  redirectUri: string;
  state: string | undefined;
  responseMode: ResponseMode;
  /** Nobody is to be shown a page: `prompt=none` (OpenID Connect Core §3.1.2.1). */
  silent: boolean;
};

/** The request cannot be answered by redirect: who asks or where to is wrong (RFC 6749 §4.1.2.1). */
export class UntrustedRequest extends OAuthError {
  readonly pageStatus: 400 | 403;
  constructor(description: string, reason: ConstructorParameters<typeof OAuthError>[2], pageStatus: 400 | 403 = 400) {
    super('invalid_request', description, reason);
    this.pageStatus = pageStatus;
  }
}

/** The request is wrong, and its client may be told so at its redirect URI. */
export class RefusedRequest extends OAuthError {
  readonly target: ResponseTarget;
  /** Hash of the `request_uri`, for a request that was pushed. */
  readonly pushed: Buffer | undefined;
  constructor(target: ResponseTarget, error: OAuthError, pushed: Buffer | undefined) {
    super(error.code, error.description, error.reason);
    this.target = target;
    this.pushed = pushed;
  }
}

/** A client that cannot be used is no fault of ours; that we cannot say whether it can is. */
const untrusted = (error: unknown): never => {
  if (error instanceof OAuthError && error.reason !== 'unavailable')
    throw new UntrustedRequest(error.description, error.reason);
  throw error;
};

export type TargetDeps = {
  findClient: (clientId: string) => Promise<Client | undefined>;
  /** Why a client that was here is not here any more. */
  whyGone: (clientId: string) => Promise<TombstoneReason | undefined>;
};

/** Apps keep the id they once got. What helps is theirs to do, and their user has to know what to ask them for. */
const gone: Readonly<Record<TombstoneReason | 'unknown', string>> = {
  idle: 'The registration of this app ended because nobody had used it for a long time.',
  deleted: 'This app has taken back its registration.',
  unknown: 'This app is not registered here, or not any more.',
};
const registerAgain =
  'In the app, remove this connection with its saved sign-in and add it again: the app then registers anew.';

/** For the person at the page, and for the developer who pushed the request: what is wrong, and which parameter it is. */
const notItsAddress = ({ registrationSource }: Client, redirectUri: string | undefined): string => {
  if (redirectUri === undefined) return 'The request does not say which address to return to (redirect_uri).';
  const known = registrationSource === 'cimd' ? 'listed in its metadata document' : 'registered';
  return `The address to return to (redirect_uri) is not one the app has ${known}.`;
};

/**
 * Who asks, and where the answer may go. Comes before every other check: no error may be sent to an address that is not
 * the client's.
 *
 * @throws {UntrustedRequest}
 */
export const readTarget = async (
  params: Params,
  repeated: readonly string[],
  deps: TargetDeps,
): Promise<ResponseTarget> => {
  if (repeated.includes('client_id') || repeated.includes('redirect_uri'))
    throw new UntrustedRequest(repeatedParameters(repeated), 'duplicate_parameter');
  if (params.client_id === undefined)
    throw new UntrustedRequest('The request does not say which app it is for.', 'client_missing');
  const client = await deps.findClient(params.client_id).catch(untrusted);
  if (!client) {
    const why = (await deps.whyGone(params.client_id)) ?? 'unknown';
    throw new UntrustedRequest(`${gone[why]} ${registerAgain}`, 'client_unknown');
  }
  if (client.status !== 'active')
    throw new UntrustedRequest('This app has been blocked by the administrator.', 'client_not_active', 403);
  if (params.redirect_uri === undefined || !isRegisteredRedirectUri(client.redirectUris, params.redirect_uri))
    throw new UntrustedRequest(
      notItsAddress(client, params.redirect_uri),
      params.redirect_uri === undefined ? 'invalid_redirect_uri' : 'redirect_uri_mismatch',
    );
  const { redirect_uri: redirectUri } = params;
  return {
    client,
    redirectUri,
    state: params.state,
    responseMode: readResponseMode(params, redirectUri) ?? 'query',
    silent: asksForSilence(params),
  };
};
