import type { ExchangeExplanation } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import {
  type Budgeted,
  countedResources,
  decide,
  type ExchangeDecision,
  type ExchangedToken,
  type ExchangeFacts,
  spendersOf,
} from '@authserver/exchange';
import { formatScope, parseScope, resourceKey } from '@authserver/oauth';
import type { BudgetQuestion, Client, ExchangeFound, Repositories, Resource, StoredIssuance } from '@authserver/store';
import type { z } from 'zod';
import { requireClient } from './clients.ts';
import type { HandlersOf } from './handler.ts';
import { notFound } from './refusals.ts';

type Subject = {
  token: ExchangedToken;
  found: ExchangeFound | undefined;
  /** Where to look for consents that budgets are counted under. */
  basis: Pick<BudgetQuestion, 'subjectId' | 'described'>;
};

/**
 * Gathers from the database what the token endpoint has in memory, in tokens and in the database, and asks the same function
 * (`packages/exchange`). What comes of a token's signature is taken from its row; keys are taken as proven.
 */
export const exchangeHandlers = ({ config }: { config: Config }): HandlersOf<'exchange'> => ({
  async explain({ body, store, now }) {
    const client = await requireClient(store, body.client_id);
    const all = await store.resources.all();
    const find = finder(all);
    const targets = body.resource.map((name) => ({ name, resource: find(name) }));
    const resourceIds = targets.flatMap(({ resource }) => resource?.id ?? []);
    const { token, found, basis } =
      body.subject_jti === undefined
        ? await described(store, body, resourceIds, find, config.server.issuer)
        : await issued(store, body.subject_jti, resourceIds, config.token_exchange.max_children, now);
    const actor =
      body.actor_client_id === undefined ? undefined : ofClient(await requireClient(store, body.actor_client_id));
    const links = new Map((await store.frontingLinks.all()).map((link) => [`${link.sourceId} ${link.targetId}`, link]));
    const resources = {
      find,
      byId: (id: string) => all.find((one) => one.id === id),
      scopes: [...new Set(all.flatMap(({ scopes }) => scopes.map(({ name }) => name)))],
    };
    const known = { client, actor, targets, resources };
    const budgeted = countedResources({ ...known, subject: token }).map(({ id }) => id);
    const facts: ExchangeFacts = {
      ...known,
      subject: { ...token, userId: found?.userId, exchanges: found?.exchanges ?? 0, children: found?.children ?? 0 },
      provenKey: 'unknown',
      asked: parseScope(body.scope),
      linkBetween: (source, target) => links.get(`${source.id} ${target.id}`),
      consents: found?.consents ?? [],
      budgetConsents:
        budgeted.length === 0
          ? []
          : await store.delegationUses.find({ ...basis, clientIds: spendersOf(known), resourceIds: budgeted }),
      now,
      settings: {
        allowSelfExchange: config.token_exchange.allow_self_exchange,
        maxChainDepth: config.token_exchange.max_chain_depth,
        maxChildren: config.token_exchange.max_children,
        proofs: config.dpop,
      },
    };
    return toView(decide(facts), config.server.issuer);
  },
});

/** By resource indicator or slug, as the token endpoint looks it up. */
const finder =
  (all: readonly Resource[]) =>
  (name: string): Resource | undefined => {
    const key = resourceKey(name);
    return all.find(({ slug, uri }) =>
      key === undefined ? slug === name : uri !== undefined && (resourceKey(uri) ?? uri) === key,
    );
  };

const issued = async (
  store: Repositories,
  jti: string,
  resourceIds: readonly string[],
  mostChildren: number,
  now: Date,
): Promise<Subject> => {
  const row = await store.issuances.find(jti);
  if (!row) throw notFound('issuance');
  const found = await store.exchanges.find({ subjectId: row.id, actorId: undefined, resourceIds, mostChildren });
  return {
    token: ofRow(row, found?.subjectLive === true && row.expiresAt > now),
    found,
    basis: { subjectId: row.id },
  };
};

const ofRow = (row: StoredIssuance, live: boolean): ExchangedToken => ({
  clientId: row.clientId,
  subject: row.subject,
  agent: row.agentId !== undefined,
  scopes: row.scopes,
  audiences: [row.resource, ...(row.furtherTargets ?? []).map(({ resource }) => resource)],
  act: row.act,
  jkt: row.dpopJkt,
  live,
});

/** A token that nobody has, as it would be if it had been issued just now. */
const described = async (
  store: Repositories,
  body: {
    user?: string | undefined;
    subject_client_id?: string | undefined;
    subject_resource: readonly string[];
    subject_scope?: string | undefined;
  },
  resourceIds: readonly string[],
  find: (name: string) => Resource | undefined,
  issuer: string,
): Promise<Subject> => {
  const holder = await requireClient(store, body.subject_client_id ?? '');
  const user = body.user === undefined ? undefined : await store.users.find(body.user);
  if (body.user !== undefined && !user) throw notFound('user');
  const resources = body.subject_resource.map((name) => {
    const resource = find(name);
    if (!resource) throw notFound(`resource: ${name}`);
    return resource;
  });
  const scopes = parseScope(body.subject_scope) ?? [
    ...new Set(resources.flatMap((resource) => resource.scopes.map(({ name }) => name))),
  ];
  const heldAt = async (ids: readonly (string | undefined)[]) =>
    user ? store.consentGrants.listActive(user.id, holder.clientId, ids) : [];
  const consents = await heldAt(resourceIds);
  const origins = await heldAt(resources.length === 0 ? [undefined] : resources.map(({ id }) => id));
  const live = holder.status === 'active' && (user === undefined || user.status === 'active');
  return {
    token: {
      clientId: holder.clientId,
      subject: user?.id ?? holder.clientId,
      agent: holder.agent,
      scopes,
      audiences: resources.length === 0 ? [issuer] : resources.map(({ uri, slug }) => uri ?? slug),
      act: undefined,
      jkt: undefined,
      live,
    },
    found: {
      subjectLive: live,
      actorLive: false,
      userId: user?.id,
      exchanges: 0,
      children: 0,
      consents: consents.map(({ id, resourceId = '', epoch, scopes: allowed }) => ({
        id,
        resourceId,
        epoch,
        scopes: allowed,
      })),
    },
    basis: { described: { origins: origins.map(({ id }) => id), atTargets: consents.map(({ id }) => id) } },
  };
};

/** The token a client gets for itself. */
const ofClient = (client: Client): ExchangedToken => ({
  clientId: client.clientId,
  subject: client.clientId,
  agent: client.agent,
  scopes: client.ceiling,
  audiences: [],
  act: undefined,
  jkt: undefined,
  live: client.status === 'active',
});

const toView = (decision: ExchangeDecision, issuer: string): z.output<typeof ExchangeExplanation> => {
  const { gates, refusal, budgets } = decision;
  const asked = gates.map(({ gate, target, outcome, detail }) => ({
    gate,
    ...(target === undefined ? {} : { target }),
    outcome,
    detail,
  }));
  const limits = budgets.length === 0 ? {} : { budgets: budgets.map((one) => toBudgetView(one, decision.depth)) };
  if (refusal)
    return {
      ...{ allowed: false, error: refusal.error, cause: refusal.cause, reason: refusal.reason },
      ...limits,
      gates: asked,
    };
  return {
    allowed: true,
    scope: formatScope(decision.scopes),
    kind: decision.kind,
    act: decision.act,
    targets: decision.targets.map(({ name, resource, way }) => ({ name, uri: resource?.uri ?? issuer, way })),
    ...limits,
    gates: asked,
  };
};

const toBudgetView = ({ target, clientId, budget, consent, uses, endsAt }: Budgeted, depth: number) => {
  const { max_uses, max_depth } = budget;
  const counted = consent && max_uses !== undefined;
  return {
    target,
    client_id: clientId,
    ...(counted ? { uses, max_uses, remaining: Math.max(0, max_uses - uses) } : {}),
    ...(consent ? { since: consent.allowedAt.toISOString() } : {}),
    ...(endsAt ? { ends_at: endsAt.toISOString() } : {}),
    depth,
    ...(max_depth === undefined ? {} : { max_depth }),
  };
};
