import type { Config } from '@authserver/config';
import { includesAll, invalidClient, invalidGrant } from '@authserver/oauth';
import { type AuthorizationCode, type Store, uuidv7 } from '@authserver/store';
import { getsRefreshToken } from '../clients/refresh-policy.ts';
import { refreshKey } from '../dpop/binding.ts';
import type { Lookups } from '../lookups.ts';
import { grantableScopes, offeredAt } from '../scopes.ts';
import { randomToken, tokenHash } from '../secrets.ts';
import { authorizedFor, namedTargets } from '../targets.ts';
import { after, earlier } from '../time.ts';
import { type Authorization, Outdated } from '../tokens/authorization.ts';
import type { GrantContext } from './grant.ts';

export type RedeemCodeDeps = {
  store: Pick<Store, 'authorizationCodes'>;
  lookups: Lookups;
  config: Pick<Config, 'dcr' | 'oauth' | 'server'>;
};

/** What a code is redeemed by, whether it was read or is remembered. */
export type CodeFacts = Pick<
  AuthorizationCode,
  'codeHash' | 'userId' | 'redirectUri' | 'targets' | 'offlineAccess' | 'dpopJkt' | 'authTime' | 'acr'
>;

/** A code whose client has shown that it is theirs: by a verifier, or by having polled for it. */
export type RedeemCode = (
  grantType: Extract<Authorization['grantType'], 'authorization_code' | 'urn:ietf:params:oauth:grant-type:device_code'>,
  code: CodeFacts,
  /** The `resource` parameters of the token request. */
  resources: readonly string[],
  context: GrantContext,
) => Promise<Authorization>;

/** @throws {OAuthError} when what the code rests on has ended since it was issued */
export const requireStanding = (code: AuthorizationCode): void => {
  if (!code.clientActive) throw invalidClient('client_not_active');
  if (!code.userActive) throw invalidGrant('user_not_active');
  if (code.consentRevoked) throw invalidGrant('consent_revoked');
};

/**
 * The second half of both grants that begin with a person's consent: whether what was allowed is still on offer, and the tokens
 * for it. Whether it stands is said by the commit, and for a refusal by {@link requireStanding}. The code is spent by the commit,
 * once, and a second use of it revokes what the first one produced.
 */
export const createRedeemCode =
  ({ store, lookups, config }: RedeemCodeDeps): RedeemCode =>
  async (grantType, code, resources, { client, proof, now }) => {
    const catalog = await lookups.resources();
    const targets = namedTargets(resources, code.targets, catalog, config.server.issuer);
    // What the user allowed must still be on offer: the resource, its scopes, and the client's right to them.
    for (const { resourceId, scopes } of code.targets)
      if (!includesAll(offeredAt(catalog, resourceId, client), scopes)) throw invalidGrant('scope_outside_catalog');
    const scopes = grantableScopes(catalog, targets, client);
    if (scopes.length === 0) throw invalidGrant('scope_empty');

    const refreshes = getsRefreshToken(client, code.offlineAccess);
    const ttlSeconds = config.dcr.default_token_expiry;
    const familyExpiresAt = after(now, refreshes ? config.oauth.refresh_absolute_lifetime : ttlSeconds);
    const familyId = uuidv7(now);
    const refreshToken = refreshes ? randomToken() : undefined;
    return {
      grantType,
      client,
      subject: code.userId,
      subjectUserId: code.userId,
      scopes,
      ...authorizedFor(targets, config.server.issuer),
      authTime: code.authTime,
      acr: code.acr,
      familyId,
      ttlSeconds,
      refreshToken,
      async commit(issuance) {
        const redemption = {
          codeHash: code.codeHash,
          now,
          familyId,
          familyExpiresAt,
          dpopJkt: refreshKey(client, proof),
          refreshToken:
            refreshToken === undefined
              ? undefined
              : {
                  hash: tokenHash(refreshToken),
                  expiresAt: earlier(after(now, config.dcr.default_refresh_expiry), familyExpiresAt),
                },
          issuance,
        };
        // Where it fails somebody else may hold the tokens of this code, which has leaked then: whoever judges again will see.
        if (!(await store.authorizationCodes.redeem(redemption, code.targets.length > 1))) throw new Outdated();
      },
    };
  };
