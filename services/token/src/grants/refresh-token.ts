import type { Config } from '@authserver/config';
import { includesAll, invalidClient, invalidGrant, invalidScope, parseScope } from '@authserver/oauth';
import type { HeldRefreshToken, Issuance, Store } from '@authserver/store';
import { z } from 'zod';
import { refreshKey, requireKey } from '../dpop/binding.ts';
import type { Proof } from '../dpop/proof.ts';
import type { Lookups } from '../lookups.ts';
import { grantableScopes } from '../scopes.ts';
import { type Secrets, tokenHash } from '../secrets.ts';
import { authorizedFor, namedTargets } from '../targets.ts';
import { after, earlier } from '../time.ts';
import { type Authorization, Outdated } from '../tokens/authorization.ts';
import { type IssuedHere, unlessRefused } from '../tokens/issued-here.ts';
import type { Replays } from '../tokens/replays.ts';
import { defineGrant, type GrantContext } from './grant.ts';

export type RefreshTokenDeps = {
  store: Pick<Store, 'refreshTokens'>;
  lookups: Lookups;
  replays: Replays;
  secrets: Secrets;
  issuedRefreshTokens: IssuedHere<RefreshTokenFacts>;
  config: Pick<Config, 'dcr' | 'oauth' | 'server'>;
};

/** What does not change about a refresh token while it is unspent. */
export type RefreshTokenFacts = Pick<
  HeldRefreshToken,
  'familyId' | 'clientId' | 'userId' | 'targets' | 'dpopJkt' | 'authTime' | 'acr' | 'expiresAt' | 'familyExpiresAt'
>;

const RefreshTokenParams = z.object({
  refresh_token: z.string({ error: 'refresh_token is missing' }),
  scope: z.string().optional(),
  resources: z.array(z.string()),
});
type RefreshTokenParams = z.output<typeof RefreshTokenParams>;

/**
 * Refresh token grant (RFC 6749 §6), rotated on every use (RFC 9700 §4.14.2).
 *
 * A repeat within `oauth.refresh_reuse_window` by the same client, with the same key, gets the same successor, on any pod: a
 * lost answer or two tabs must not log anybody out. Once the successor was used, or the window is over, a repeat is a theft.
 */
export const refreshToken = ({ store, lookups, replays, secrets, issuedRefreshTokens, config }: RefreshTokenDeps) => {
  /** The successor's hash matches unless `session.secret` was changed since: then the window is simply over. */
  const isRepeat = (token: HeldRefreshToken, successorHash: Buffer, proof: Proof | undefined, now: Date): boolean =>
    config.oauth.refresh_reuse_window > 0 && // else who asked before the other's answer would still be within it
    token.spentAt !== undefined &&
    now.getTime() - token.spentAt.getTime() <= config.oauth.refresh_reuse_window * 1000 &&
    !token.successorSpent &&
    (token.dpopJkt === undefined || token.dpopJkt === proof?.jkt) &&
    token.successorHash?.equals(successorHash) === true;

  /** What the holder of a token gets, if it may be spent. */
  const judge = async (
    facts: RefreshTokenFacts,
    { resources, scope }: RefreshTokenParams,
    { client, proof }: GrantContext,
  ): Promise<Omit<Authorization, 'refreshToken' | 'commit'>> => {
    requireKey(facts.dpopJkt, proof);
    const catalog = await lookups.resources();
    const targets = namedTargets(resources, facts.targets, catalog, config.server.issuer);
    const asked = parseScope(scope);
    const grantable = grantableScopes(catalog, targets, client);
    if (asked && !includesAll(grantable, asked))
      throw invalidScope('The scope exceeds what was granted.', 'scope_outside_grant');
    const scopes = asked ?? grantable;
    if (scopes.length === 0) throw invalidScope('Nothing of the granted scope is left.', 'scope_empty');
    return {
      grantType: 'refresh_token',
      client,
      subject: facts.userId,
      subjectUserId: facts.userId,
      scopes,
      ...authorizedFor(targets, config.server.issuer),
      authTime: facts.authTime,
      acr: facts.acr,
      familyId: facts.familyId,
      ttlSeconds: config.dcr.default_token_expiry,
    };
  };

  return defineGrant({
    type: 'refresh_token',
    params: RefreshTokenParams,

    async authorize(params, context) {
      const { client, proof, now } = context;
      const hash = tokenHash(params.refresh_token);
      const successor = secrets.successorOf(params.refresh_token);
      const successorHash = tokenHash(successor);

      /** Where somebody was faster, the next judgement tells a repeat from a theft. @throws {Outdated} */
      const spend = async (facts: RefreshTokenFacts, issuance: Issuance): Promise<void> => {
        const { familyId, clientId, userId, targets, authTime, acr, familyExpiresAt } = facts;
        const bindTo = facts.dpopJkt === undefined ? refreshKey(client, proof) : undefined;
        const expiresAt = earlier(after(now, config.dcr.default_refresh_expiry), familyExpiresAt);
        const spent = await store.refreshTokens.spend({
          tokenHash: hash,
          familyId,
          several: targets.length > 1,
          successor: { hash: successorHash, expiresAt },
          issuance,
          bindTo,
        });
        if (!spent) throw new Outdated();
        // Who has refreshed once goes on to. Where the user took something back the targets here are cut, and they may give it
        // again; those with several are few, and may be large.
        if (targets.length > 1 || targets[0]?.withdrawn) return;
        const dpopJkt = facts.dpopJkt ?? bindTo;
        const lasting = { familyId, clientId, userId, targets, dpopJkt, authTime, acr, expiresAt, familyExpiresAt };
        issuedRefreshTokens.note(successorHash, lasting);
      };

      const own = issuedRefreshTokens.take(hash);
      if (own?.clientId === client.clientId && own.expiresAt > now && own.familyExpiresAt > now) {
        const judged = await unlessRefused(judge(own, params, context));
        const commit = (issuance: Issuance) => spend(own, issuance);
        if (judged) return { ...judged, isRemembered: true, refreshToken: successor, commit };
      }

      const held = await store.refreshTokens.find(hash);
      if (!held) throw invalidGrant('refresh_unknown');
      // A stranger's attempt must not end the owner's session: it is refused before any reuse is judged.
      if (held.clientId !== client.clientId) {
        await replays.refreshOfAnother(held, client.clientId, now);
        throw invalidGrant('refresh_other_client');
      }
      if (held.familyRevoked) throw invalidGrant('refresh_family_revoked');
      if (held.expiresAt <= now || held.familyExpiresAt <= now) throw invalidGrant('refresh_expired');
      if (!held.userActive) throw invalidGrant('user_not_active');
      if (!held.clientActive) throw invalidClient('client_not_active');

      const repeat = isRepeat(held, successorHash, proof, now);
      if (held.spentAt && !repeat) {
        // A request that was recorded and sent again proves no key and is no second holder of the token.
        await proof?.claim();
        await replays.refreshReused(held, now);
        throw invalidGrant('refresh_reused');
      }
      const commit = async (issuance: Issuance): Promise<void> => {
        if (!repeat) return spend(held, issuance);
        if (!(await store.refreshTokens.repeat(held.familyId, held.targets.length > 1, issuance))) throw new Outdated();
      };
      return { ...(await judge(held, params, context)), refreshToken: successor, commit };
    },
  });
};
