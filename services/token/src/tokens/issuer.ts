import { agentChainOf, formatScope, idJagType } from '@authserver/oauth';
import { type Issuance, uuidv7 } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { Proof } from '../dpop/proof.ts';
import { after } from '../time.ts';
import type { Authorization } from './authorization.ts';
import { accessTokenClaims, idJagClaims } from './claims.ts';
import type { SignJwt } from './sign.ts';

/** RFC 6749 §5.1 */
export type TokenResponse = {
  access_token: string;
  issued_token_type?: string; // RFC 8693 §2.2.1
  token_type: 'Bearer' | 'DPoP' | 'N_A';
  /** Seconds. */
  expires_in: number;
  refresh_token?: string;
  scope?: string;
};

export type TokenIssuer = {
  /** A token bound to the key of the proof, or a bearer token without one. The proof is used up. */
  issue(authorization: Authorization, proof: Proof | undefined, now: Date): Promise<TokenResponse>;
};

/**
 * Turns an authorization into a token response; the only caller of a signer.
 *
 * It is signed before anything is spent: while the home of the key is away, the client keeps its code or refresh token and
 * may come back with it. The answer leaves only after the row is committed: there is no token without its issuance. A
 * token whose commit fails is thrown away.
 */
export const createTokenIssuer = (deps: { issuer: string; signJwt: SignJwt; metrics: Metrics }): TokenIssuer => ({
  async issue(authorization, proof, now) {
    const issuance = toIssuance(authorization, proof, now);
    const { vouched } = authorization;
    const token = await (vouched
      ? deps.signJwt(idJagClaims(deps.issuer, issuance, authorization, vouched), idJagType)
      : deps.signJwt(accessTokenClaims(deps.issuer, issuance, authorization)));
    if (proof) await proof.claim();
    await authorization.commit(issuance);

    if (vouched) deps.metrics.assertionsIssued.inc();
    else deps.metrics.tokensIssued.inc({ grant_type: authorization.grantType });
    if (authorization.grantType === 'refresh_token') deps.metrics.tokensRefreshed.inc();
    if (issuance.agentId !== undefined) deps.metrics.agentTokensIssued.inc();
    if (authorization.grantType === 'client_credentials') deps.metrics.clientCredentialsIssued.inc();
    return {
      access_token: token,
      ...(authorization.issuedTokenType === undefined ? {} : { issued_token_type: authorization.issuedTokenType }),
      token_type: vouched ? 'N_A' : proof ? 'DPoP' : 'Bearer', // RFC 8693 §2.2.1
      expires_in: authorization.ttlSeconds,
      ...(authorization.refreshToken === undefined ? {} : { refresh_token: authorization.refreshToken }),
      ...(issuance.scopes.length > 0 ? { scope: formatScope(issuance.scopes) } : {}),
    };
  },
});

const toIssuance = (authorization: Authorization, proof: Proof | undefined, now: Date): Issuance => ({
  id: uuidv7(now),
  grantType: authorization.grantType,
  clientId: authorization.client.clientId,
  subject: authorization.subject,
  subjectUserId: authorization.subjectUserId,
  resourceId: authorization.resource.id,
  resource: authorization.resource.audience,
  scopes: authorization.scopes,
  issuedAt: now,
  expiresAt: after(now, authorization.ttlSeconds),
  familyId: authorization.familyId,
  consentGrantId: authorization.consentGrantId,
  furtherTargets: authorization.furtherTargets,
  parentId: authorization.parentId,
  consentClientId: authorization.consentClientId,
  idpId: authorization.idpId,
  act: authorization.act,
  // An identity provider that vouched for the subject is no agent, so a chain begins with an exchange.
  agentChain:
    authorization.client.agent && authorization.parentId !== undefined && authorization.act
      ? agentChainOf(authorization.act)
      : undefined,
  dpopJkt: proof?.jkt,
  agentId: authorization.client.agent ? authorization.client.clientId : undefined,
});
