import { type Budgeted, budgetsAt, isCounted, isOver, isUsedUp } from './budgets.ts';
import type { ExchangeFacts } from './facts.ts';
import { deny, pass, skip, type Verdict } from './verdict.ts';
import type { Place } from './ways.ts';

/**
 * What an operator lets who asks and who acts do at the target before the user is asked again. It comes last, so that nobody
 * is asked for an exchange that would be refused anyhow. `depth` is that of the new token.
 */
export const budgetGate = (facts: ExchangeFacts, place: Place, depth: number): Verdict => {
  const about = { gate: 'budget', target: place.name } as const;
  const verdicts = budgetsAt(facts, place).map((budgeted) => {
    const { clientId, budget } = budgeted;
    const { max_depth } = budget;
    if (max_depth !== undefined && depth > max_depth)
      return deny(
        about,
        `The chain would be ${depth} long, and ${max_depth} is the most for ${clientId} at the target.`,
        'access_denied',
        'budget_too_deep',
        'The target is not open to a chain of this length.',
      );
    if (!isCounted(budget)) return pass(about, `The chain is ${depth} of ${max_depth} long for ${clientId}.`);
    // Nobody could allow a machine to go on.
    if (facts.subject.userId === undefined)
      return skip(about, `The subject is a machine, so nothing is counted for ${clientId}.`);
    return countedVerdict(about, place, budgeted, facts.now);
  });
  return (
    verdicts.find(({ outcome }) => outcome === 'deny') ??
    joined(about, verdicts) ??
    skip(about, 'The target has no budget for the client.')
  );
};

const countedVerdict = (
  about: { gate: 'budget'; target: string },
  { way }: Place,
  budgeted: Budgeted,
  now: Date,
): Verdict => {
  const { clientId, budget, consent, uses, endsAt } = budgeted;
  const { max_uses } = budget;
  const since = `since the user last consented, at ${consent?.allowedAt.toISOString()}`;
  if (!consent)
    return way.kind === 'direct'
      ? deny(
          about,
          'There is no consent to count under.',
          'consent_required',
          'consent_required',
          undefined,
          'consent_missing',
        )
      : deny(
          about,
          'The target has a budget, and the subject token comes of no consent that a user could give again.',
          'access_denied',
          'budget_without_consent',
          'The target is not open to tokens that come of no consent.',
        );
  const again = 'The user has to allow it again.';
  if (isOver(budgeted, now))
    return deny(
      about,
      `${clientId} may act for ${budget.max_lifetime} seconds ${since}, which was until ${endsAt?.toISOString()}.`,
      'consent_required',
      'budget_expired',
      `The time this was allowed for is over. ${again}`,
      'budget_expired',
    );
  if (isUsedUp(budgeted))
    return deny(
      about,
      `${clientId} has used ${uses} of ${max_uses} exchanges ${since}.`,
      'consent_required',
      'budget_spent',
      `This was done as often as was allowed. ${again}`,
      'budget_spent',
    );
  const left = max_uses === undefined ? [] : [`has used ${uses} of ${max_uses}, and ${max_uses - uses} are left`];
  const until = endsAt === undefined ? [] : [`may act until ${endsAt.toISOString()}`];
  return pass(about, `${clientId} ${[...left, ...until].join(', and ')}, ${since}.`);
};

/** What is said of who asks and of who acts, as one verdict. */
const joined = (about: { gate: 'budget'; target: string }, verdicts: readonly Verdict[]): Verdict | undefined => {
  if (verdicts.length < 2) return verdicts[0];
  const detail = verdicts.map((verdict) => verdict.detail).join(' ');
  return verdicts.some(({ outcome }) => outcome === 'pass') ? pass(about, detail) : skip(about, detail);
};
