import type { Config } from '@authserver/config';
import {
  accessTokenType,
  idJagTokenType,
  intersectScopes,
  invalidRequest,
  invalidScope,
  invalidTarget,
  OAuthError,
  parseScope,
  sameResource,
} from '@authserver/oauth';
import type { Client, Store } from '@authserver/store';
import { z } from 'zod';
import type { AuditRepeats } from '../audit/repeats.ts';
import { requireKey } from '../dpop/binding.ts';
import { tokenHash } from '../secrets.ts';
import { numericDate } from '../tokens/claims.ts';
import type { OwnTokenVerifier } from '../tokens/verify.ts';
import { noteDeniedExchange, type ShownToken } from './denied-exchange.ts';
import { defineGrant, type Grant } from './grant.ts';

export type IssueIdJagDeps = {
  store: Pick<Store, 'issuances' | 'refreshTokens'>;
  verify: OwnTokenVerifier;
  repeats: AuditRepeats;
  config: Pick<Config, 'xaa'>;
};

type Vouching = Config['xaa']['vouch_for'][number];

/** A person's session with a client here: the tokens of one family. */
type Session = {
  userId: string;
  familyId: string;
  /** The access token that was shown, if it was one; the assertion ends with it. */
  parentId: string | undefined;
  jkt: string | undefined;
  authTime: Date | undefined;
  /** When the token that was shown ends, and its family. */
  endsAt: Date;
};

/** The kinds of tokens that are assertions: none where they are not to be had. */
export const assertionsForOthers = (deps: IssueIdJagDeps): ReadonlyMap<string, Grant> => {
  const { enabled, vouch_for } = deps.config.xaa;
  return new Map(enabled && vouch_for.length > 0 ? [[idJagTokenType, issueIdJag(deps)]] : []);
};

const type = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** An assertion is used at once; who finds it later should find it worthless. It does not outlive the session. */
const lifetimeSeconds = 300;
const refreshToken = 'urn:ietf:params:oauth:token-type:refresh_token';

/**
 * Token exchange for an assertion (ID-JAG §4.3): the session of a user with a client becomes the word of this server for
 * that user, for one client at one other authorization server. Operators say which (`xaa.vouch_for`); the user is not asked,
 * as nobody is asked whom their organisation vouches for.
 *
 * The subject token is one of this very client's (§4.3.3): its refresh token, which is looked at and not spent, or an access
 * token the user's consent gave it. A token that was exchanged, or that stands for a machine, is nobody's session.
 */
export const issueIdJag = ({ store, verify, repeats, config }: IssueIdJagDeps) =>
  defineGrant({
    type,
    params: z.object({
      subject_token: z.string({ error: 'subject_token is missing' }),
      subject_token_type: z.enum([accessTokenType, refreshToken], {
        error: 'subject_token_type must be that of an access token or a refresh token',
      }),
      actor_token: z.undefined({ error: 'actor_token has no meaning for an assertion' }).optional(),
      scope: z.string().optional(),
      resources: z.array(z.string()),
      audiences: z.array(z.string()).length(1, 'audience must be the issuer of one authorization server'),
    }),

    async authorize(params, { client, proof, now }) {
      if (client.tokenEndpointAuthMethod === 'none')
        throw new OAuthError('unauthorized_client', 'A public client gets no assertions.', 'client_method_mismatch');
      const vouching = vouchingFor(config.xaa.vouch_for, client, params.audiences[0] as string);
      const resources = allowedResources(params.resources, vouching);
      const scopes = allowedScopes(params.scope, vouching);
      const session = await sessionOf(params.subject_token_type, params.subject_token, now);
      requireKey(session.jkt, proof);

      return {
        grantType: type,
        client,
        subject: session.userId,
        subjectUserId: session.userId,
        scopes,
        resource: { id: undefined, audience: vouching.audience },
        vouched: {
          audience: vouching.audience,
          clientId: vouching.audience_client_id || client.clientId,
          resources,
        },
        authTime: session.authTime,
        familyId: session.familyId,
        parentId: session.parentId,
        consentGrantId: undefined,
        issuedTokenType: idJagTokenType,
        ttlSeconds: Math.min(lifetimeSeconds, numericDate(session.endsAt) - numericDate(now)),
        refreshToken: undefined,
        async commit(issuance) {
          if (!(await store.issuances.insertIfLive(issuance))) throw deadSubject();
        },
      };

      /** It is told no more than of a token that is no token; the trail knows. */
      async function requireOwn(shown: ShownToken): Promise<void> {
        if (shown.subject_client === client.clientId) return;
        await noteDeniedExchange(repeats, { client, shown, reason: notOurs, now });
        throw deadSubject();
      }

      async function sessionOf(tokenType: string, token: string, at: Date): Promise<Session> {
        if (tokenType === refreshToken) {
          const held = await store.refreshTokens.find(tokenHash(token));
          if (!held) throw deadSubject();
          await requireOwn({ family_id: held.familyId, subject: held.userId, subject_client: held.clientId });
          const live =
            !held.spentAt &&
            !held.familyRevoked &&
            held.userActive &&
            numericDate(held.expiresAt) > numericDate(at) &&
            numericDate(held.familyExpiresAt) > numericDate(at);
          if (!live) throw deadSubject();
          const { userId, familyId, dpopJkt, authTime } = held;
          const endsAt = new Date(Math.min(held.expiresAt.getTime(), held.familyExpiresAt.getTime()));
          return { userId, familyId, parentId: undefined, jkt: dpopJkt, authTime, endsAt };
        }
        const claims = verify(token, at);
        if (!claims) throw deadSubject();
        await requireOwn({ jti: claims.jti, subject: claims.sub, subject_client: claims.client_id });
        const row = await store.issuances.find(claims.jti);
        if (!row || row.ended || row.subjectUserId === undefined || row.familyId === undefined) throw deadSubject();
        return {
          ...{ userId: row.subjectUserId, familyId: row.familyId, parentId: row.id, jkt: claims.cnf?.jkt },
          authTime: claims.auth_time === undefined ? undefined : new Date(claims.auth_time * 1000),
          endsAt: new Date(claims.exp * 1000),
        };
      }
    },
  });

const notOurs = 'invalid_subject_token';
/** One answer for a token that is unknown, dead, or of another client. */
const deadSubject = (): OAuthError => invalidRequest('The subject token is invalid, expired or revoked.', notOurs); // RFC 8693 §2.2.2

const vouchingFor = (vouchings: readonly Vouching[], { clientId }: Client, audience: string): Vouching => {
  const vouching = vouchings.find((one) => one.client_id === clientId && one.audience === audience);
  if (!vouching)
    throw invalidTarget('This client gets no assertions for this audience (xaa.vouch_for).', 'assertion_not_offered');
  return vouching;
};

const allowedResources = (asked: readonly string[], { resources }: Vouching): readonly string[] => {
  const allowed = (one: string) => resources.some((known) => sameResource(known, one));
  if (!asked.every((one) => URL.canParse(one))) throw invalidRequest('resource must be an absolute URI.');
  if (resources.length > 0 && !asked.every(allowed))
    throw invalidTarget('No assertions are made for this resource (xaa.vouch_for).', 'assertion_not_offered');
  if (asked.length === 0 && resources.length > 0) return resources;
  return [...new Set(asked)];
};

/** What an assertion without `scope` would grant is for the other side to say, so a bound is always written into it. */
const allowedScopes = (scope: string | undefined, { scopes: bound }: Vouching): readonly string[] => {
  const asked = parseScope(scope);
  const scopes = asked && bound.length > 0 ? intersectScopes(asked, bound) : (asked ?? bound);
  if (asked && scopes.length === 0) throw invalidScope('Assertions name none of these scopes (xaa.vouch_for).');
  return scopes;
};
