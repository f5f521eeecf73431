import type { BudgetConsent, ExchangeBudget, Resource } from '@authserver/store';
import { actingClientOf } from './delegation.ts';
import type { ExchangeFacts } from './facts.ts';
import type { Place } from './ways.ts';

/** One budget that an exchange has to keep within, and how much of it is used. */
export type Budgeted = {
  target: string;
  resourceId: string;
  /** Who asks, or who acts. */
  clientId: string;
  budget: ExchangeBudget;
  /** What it is counted under: a user can give it again. */
  consent: BudgetConsent | undefined;
  uses: number;
  endsAt: Date | undefined;
};

/** The entry of a client, or else the one that is for everybody else. */
export const budgetOf = ({ policy }: Pick<Resource, 'policy'>, clientId: string): ExchangeBudget | undefined => {
  const { budgets = [] } = policy.exchange;
  return (
    budgets.find(({ client_id }) => client_id === clientId) ?? budgets.find(({ client_id }) => client_id === undefined)
  );
};

/** Whose budgets an exchange is counted against: of who asks and of who acts, or either could lend its own to the other. */
export const spendersOf = ({ client, actor }: Pick<ExchangeFacts, 'client' | 'actor'>): string[] => {
  const acting = actor && actingClientOf(actor);
  return acting === undefined || acting === client.clientId ? [client.clientId] : [client.clientId, acting];
};

/** Whether it has to be counted what was used: a depth is seen from the token. */
export const isCounted = ({ max_uses, max_lifetime }: ExchangeBudget): boolean =>
  max_uses !== undefined || max_lifetime !== undefined;

/** The targets with a budget that somebody has to count for; where there is none, nobody reads what was used. */
export const countedResources = (
  facts: Pick<ExchangeFacts, 'client' | 'actor' | 'targets' | 'resources'> & {
    subject: { audiences: readonly string[] };
  },
): Resource[] => {
  const { targets, subject, resources } = facts;
  const found =
    targets.length > 0 ? targets.map(({ resource }) => resource) : subject.audiences.map((one) => resources.find(one));
  const spenders = spendersOf(facts);
  const counts = (resource: Resource, clientId: string) => {
    const budget = budgetOf(resource, clientId);
    return budget !== undefined && isCounted(budget);
  };
  return found.filter((resource) => resource !== undefined).filter((one) => spenders.some((id) => counts(one, id)));
};

export const budgetsAt = (facts: ExchangeFacts, place: Place): Budgeted[] => {
  const { name: target, resource } = place;
  if (!resource) return [];
  return spendersOf(facts).flatMap((clientId) => {
    const budget = budgetOf(resource, clientId);
    if (!budget) return [];
    const consent = isCounted(budget) ? basisOf(facts, place) : undefined;
    const used = consent?.uses.find((use) => use.clientId === clientId && use.resourceId === resource.id);
    const endsAt =
      consent && budget.max_lifetime !== undefined
        ? new Date(consent.allowedAt.getTime() + budget.max_lifetime * 1000)
        : undefined;
    return [{ target, resourceId: resource.id, clientId, budget, consent, uses: used?.uses ?? 0, endsAt }];
  });
};

/**
 * The consent that a user would have to give again: the one at the target where the exchange rests on it, else the one the
 * subject token comes of, at the resource the link begins at.
 */
const basisOf = ({ budgetConsents }: ExchangeFacts, { way, resource }: Place): BudgetConsent | undefined => {
  if (way.kind === 'direct') return budgetConsents.find(({ id }) => id === way.consent?.id);
  const origins = budgetConsents.filter(({ isOrigin }) => isOrigin);
  const begin = way.kind === 'fronted' ? way.source.id : resource?.id;
  return origins.find(({ resourceId }) => resourceId === begin) ?? origins[0];
};

/** A token lives for whole seconds, so less than one is nothing. */
export const isOver = ({ endsAt }: Budgeted, now: Date): boolean =>
  endsAt !== undefined && endsAt.getTime() - now.getTime() < 1000;

export const isUsedUp = ({ budget: { max_uses }, uses }: Budgeted): boolean =>
  max_uses !== undefined && uses >= max_uses;
