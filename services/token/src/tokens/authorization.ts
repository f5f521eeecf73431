import type { Actor } from '@authserver/oauth';
import type { Client, FurtherTarget, Issuance } from '@authserver/store';

/** What this server vouches for at another authorization server (ID-JAG §3.1). */
export type Vouched = {
  /** The issuer there, and what the client is called there. */
  audience: string;
  clientId: string;
  resources: readonly string[];
};

/**
 * The world moved on since the grant was judged, and nothing was spent: it is to be judged again, and by then whatever refuses it
 * can be read.
 */
export class Outdated extends Error {
  override readonly name = 'Outdated';

  constructor() {
    super('what the request rests on changed again each time it was judged'); // for the log, once the route gives up
  }
}

/**
 * An approved request: everything the issuer needs to make the token, and the one write that makes it true.
 */
export type Authorization = {
  grantType:
    | 'authorization_code'
    | 'refresh_token'
    | 'client_credentials'
    | 'urn:ietf:params:oauth:grant-type:token-exchange'
    | 'urn:ietf:params:oauth:grant-type:device_code'
    | 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  client: Client;
  /** `sub`: a user's id, or the client's own for a machine token. */
  subject: string;
  subjectUserId: string | undefined;
  scopes: readonly string[];
  resource: { id: string | undefined; audience: string };
  /** The other resources, when the token is for several. */
  furtherTargets?: readonly FurtherTarget[];
  authTime: Date | undefined;
  /** How the user signed in (RFC 9470 §6.1). */
  acr?: string | undefined;
  /** The identity provider that vouched for the subject. */
  idpId?: string;
  familyId: string | undefined;
  consentGrantId: string | undefined;
  /** The token this one was exchanged from; it ends with it. */
  parentId?: string | undefined;
  /** Whose consent it rests on, when that is not the client's own. */
  consentClientId?: string | undefined;
  /** Who acts for the subject, or vouched for them (RFC 8693 §4.1). */
  act?: Actor | undefined;
  /** What kind of token was asked for by its type, and is answered with it (RFC 8693 §2.2.1). */
  issuedTokenType?: string | undefined;
  /** Seconds the access token lives. */
  ttlSeconds: number;
  /** The token is an assertion for another authorization server, and no access token. */
  vouched?: Vouched | undefined;
  /** Judged by what this process remembers (`issued-here.ts`): the database has not been asked yet. */
  isRemembered?: true;
  /** Goes into the answer if the commit succeeds. */
  refreshToken: string | undefined;
  /**
   * Makes the decision durable together with the token's issuance row. Where it fails, the token signed meanwhile is thrown away.
   *
   * @throws {Outdated} when the world moved on since the grant was judged
   * @throws {OAuthError} when the write itself says why not
   */
  commit(issuance: Issuance): Promise<void>;
};
