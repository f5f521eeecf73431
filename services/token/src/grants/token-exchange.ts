import type { Config } from '@authserver/config';
import {
  countedResources,
  decide,
  type ExchangeDecision,
  type ExchangedToken,
  type ExchangeFacts,
  isOver,
  isUsedUp,
  missingConsent,
  spendersOf,
} from '@authserver/exchange';
import {
  accessTokenType,
  includesAll,
  invalidClient,
  invalidRequest,
  isAccessTokenType,
  OAuthError,
  parseScope,
} from '@authserver/oauth';
import type { Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import { z } from 'zod';
import type { AuditRepeats } from '../audit/repeats.ts';
import type { ConsentTickets } from '../authorization/consent-tickets.ts';
import type { Lookups } from '../lookups.ts';
import { namedOnce } from '../targets.ts';
import { Outdated } from '../tokens/authorization.ts';
import { numericDate } from '../tokens/claims.ts';
import type { OwnClaims, OwnTokenVerifier } from '../tokens/verify.ts';
import { noteDeniedExchange } from './denied-exchange.ts';
import { defineGrant } from './grant.ts';

export type TokenExchangeDeps = {
  store: Pick<Store, 'exchanges' | 'delegationUses' | 'consentGrants'>;
  lookups: Lookups;
  verify: OwnTokenVerifier;
  repeats: AuditRepeats;
  consentTickets: ConsentTickets;
  metrics: Metrics;
  config: Pick<Config, 'dpop' | 'server' | 'token_exchange'>;
};

const TokenType = z.string().optional();

/**
 * Token exchange (RFC 8693): one of our access tokens for another one, for a resource behind it, with or without the name
 * of who acts. What may be exchanged for what is decided by `packages/exchange`, from facts that are gathered here: the
 * tokens from their signatures, resources and links from memory, what may not be late in one read.
 *
 * The write demands once more that the tokens and consents stand, and the new token is a child of the old: whatever ends
 * that one, or anything above it, ends it as well. Where a target has a budget, one more read says what is used of it, and the
 * write counts.
 */
export const tokenExchange = (deps: TokenExchangeDeps) => {
  const { store, lookups, verify, repeats, metrics, config } = deps;
  const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange';

  return defineGrant({
    type: grantType,
    params: z.object({
      subject_token: z.string({ error: 'subject_token is missing' }),
      subject_token_type: z.string({ error: 'subject_token_type is missing' }),
      actor_token: z.string().optional(),
      actor_token_type: TokenType,
      requested_token_type: TokenType,
      scope: z.string().optional(),
      resources: z.array(z.string()),
      audiences: z.array(z.string()),
    }),

    async authorize(params, { client, proof, now }) {
      requireTypes(params);
      const subject = verify(params.subject_token, now);
      if (!subject) throw invalidRequest('The subject token is invalid, expired or revoked.', 'invalid_subject_token');
      const actor = params.actor_token === undefined ? undefined : verify(params.actor_token, now);
      if (params.actor_token !== undefined && !actor)
        throw invalidRequest('The actor token is invalid, expired or revoked.', 'invalid_actor_token');

      const [resources, links] = await Promise.all([lookups.resources(), lookups.frontingLinks()]);
      const targets = namedOnce([...params.resources, ...params.audiences], resources);
      const question = {
        subjectId: subject.jti,
        actorId: actor?.jti,
        resourceIds: targets.flatMap(({ resource }) => resource?.id ?? []),
        mostChildren: config.token_exchange.max_children,
      };
      const known = {
        client,
        actor: actor && toToken(actor),
        targets,
        resources,
        subject: toToken(subject),
      };
      const budgeted = countedResources(known);
      const findBudgets = async () =>
        budgeted.length === 0
          ? []
          : store.delegationUses.find({
              subjectId: subject.jti,
              clientIds: spendersOf(known),
              resourceIds: budgeted.map(({ id }) => id),
            });
      const [found, budgetConsents] = await Promise.all([store.exchanges.find(question), findBudgets()]);
      const facts: ExchangeFacts = {
        ...known,
        subject: {
          ...known.subject,
          live: found?.subjectLive === true,
          userId: found?.userId,
          exchanges: found?.exchanges ?? 0,
          children: found?.children ?? 0,
        },
        actor: known.actor && { ...known.actor, live: found?.actorLive === true },
        provenKey: proof?.jkt,
        asked: parseScope(params.scope),
        linkBetween: (source, target) => links.between(source.id, target.id),
        consents: found?.consents ?? [],
        budgetConsents,
        now,
        settings: {
          allowSelfExchange: config.token_exchange.allow_self_exchange,
          maxChainDepth: config.token_exchange.max_chain_depth,
          maxChildren: config.token_exchange.max_children,
          proofs: config.dpop,
        },
      };
      /** What the first gate that denies has to say, with what it leaves behind. */
      const refusalOf = async ({ refusal, budgets }: ExchangeDecision): Promise<OAuthError | undefined> => {
        if (!refusal) return undefined;
        if (refusal.cause === 'budget_spent' || refusal.cause === 'budget_expired')
          await askAgain(budgets.filter((one) => isUsedUp(one) || isOver(one, now)));
        const shown = { jti: subject.jti, subject: subject.sub, subject_client: subject.client_id };
        await noteDeniedExchange(repeats, { client, shown, reason: refusal.reason, now });
        const { error, description, reason, cause } = refusal;
        if (cause === undefined) return new OAuthError(error, description, reason);
        const consentUrl = await urlToConsent(facts);
        const members = consentUrl === undefined ? { cause } : { cause, consent_url: consentUrl };
        return new OAuthError(error, description, reason, { members });
      };

      const decision = decide(facts);
      const refused = await refusalOf(decision);
      if (refused) throw refused;
      const [first, ...further] = decision.targets;
      const { issuer } = config.server;
      const budgetEnds = decision.budgets.flatMap(({ endsAt }) => (endsAt ? numericDate(endsAt) : []));
      const ends = Math.min(subject.exp, actor?.exp ?? subject.exp, ...budgetEnds);
      return {
        grantType,
        client,
        subject: subject.sub,
        subjectUserId: facts.subject.userId,
        scopes: decision.scopes,
        resource: { id: first?.resource?.id, audience: first?.resource?.uri ?? issuer },
        consentGrantId: first?.consent?.id,
        furtherTargets: further.flatMap(({ resource, consent }) =>
          resource?.uri === undefined
            ? []
            : [{ resourceId: resource.id, resource: resource.uri, consentGrantId: consent?.id }],
        ),
        authTime: subject.auth_time === undefined ? undefined : new Date(subject.auth_time * 1000),
        acr: subject.acr,
        familyId: undefined,
        parentId: subject.jti,
        consentClientId: first?.consent && subject.client_id,
        act: decision.act,
        issuedTokenType: accessTokenType,
        ttlSeconds: Math.min(config.token_exchange.token_expiry, ends - numericDate(now)),
        refreshToken: undefined,
        async commit(issuance) {
          const consents = decision.targets.flatMap(({ consent, scopes }) =>
            consent ? [{ id: consent.id, epoch: consent.epoch, scopes }] : [],
          );
          const uses = decision.budgets.flatMap(({ consent, clientId, resourceId, budget: { max_uses: maxUses } }) =>
            consent && maxUses !== undefined ? [{ consentId: consent.id, clientId, resourceId, maxUses }] : [],
          );
          const { mostChildren } = question;
          const written = await store.exchanges.insert({ issuance, actorId: actor?.jti, consents, mostChildren, uses });
          if (!written) {
            await lookups.newerClient(client);
            if ((await lookups.client(client.clientId))?.status !== 'active') throw invalidClient('client_not_active');
            throw new Outdated(); // perhaps still allowed, but less, or by another consent: the next judgement says
          }
          metrics.tokenExchanges.inc({ kind: decision.kind });
        },
      };
    },
  });

  /**
   * Where the user can allow what is missing. The subject token was good and the client proved itself before anybody is
   * told of a consent, so this says nothing to a stranger.
   */
  async function urlToConsent(facts: ExchangeFacts): Promise<string | undefined> {
    const { userId } = facts.subject;
    const missing = missingConsent(facts);
    if (!missing || userId === undefined) return undefined;
    const { clientId, scopes } = missing;
    const asked = await lookups.client(clientId);
    if (asked?.status !== 'active' || (asked.ceiling.length > 0 && !includesAll(asked.ceiling, scopes)))
      return undefined;
    const resourceIds = missing.resources.map(({ id }) => id);
    return deps.consentTickets.urlFor({ userId, clientId, actingClientId: facts.client.clientId, resourceIds, scopes });
  }

  /** From now on an authorization request under these consents shows the page, although they cover what it asks for. */
  async function askAgain(spent: ExchangeDecision['budgets']): Promise<void> {
    const consents = spent.flatMap(({ consent }) => (consent && !consent.asksAgain ? consent : []));
    if (consents.length > 0) await store.consentGrants.askAgain(consents);
  }
};

/** @throws {OAuthError} `invalid_request` for a type that is not that of the token, or that this server does not issue */
const requireTypes = (params: {
  subject_token_type: string;
  actor_token?: string | undefined;
  actor_token_type?: string | undefined;
  requested_token_type?: string | undefined;
}): void => {
  const { subject_token_type, actor_token, actor_token_type, requested_token_type } = params;
  const unsupported = (what: string) => invalidRequest(`${what} is not supported.`, 'token_type_unsupported');
  if ((actor_token === undefined) !== (actor_token_type === undefined))
    throw invalidRequest('actor_token and actor_token_type go together.'); // RFC 8693 §2.1
  if (!isAccessTokenType(subject_token_type)) throw unsupported('The subject_token_type');
  if (actor_token_type !== undefined && !isAccessTokenType(actor_token_type)) throw unsupported('The actor_token_type');
  if (requested_token_type !== undefined && !isAccessTokenType(requested_token_type))
    throw unsupported('The requested_token_type');
};

/** As its claims say; whether it is live is another question. */
const toToken = (claims: OwnClaims): ExchangedToken => ({
  clientId: claims.client_id,
  subject: claims.sub,
  agent: claims.agent_id !== undefined,
  scopes: parseScope(claims.scope) ?? [],
  audiences: claims.aud,
  act: claims.act,
  jkt: claims.cnf?.jkt,
  live: false,
});
