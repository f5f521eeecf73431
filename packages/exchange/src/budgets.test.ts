import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GrantType } from '@authserver/oauth';
import type { BudgetConsent, ExchangeBudget, Resource } from '@authserver/store';
import { countedResources, isOver, isUsedUp } from './budgets.ts';
import { decide } from './decide.ts';
import type { ExchangeFacts } from './facts.ts';
import { missingConsent } from './missing-consent.ts';

const grant: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const now = new Date('2026-01-01T00:00:00Z');
const before = (seconds: number) => new Date(now.getTime() - seconds * 1000);

const resource = (slug: string, budgets: ExchangeBudget[] = []): Resource => ({
  id: slug,
  slug,
  uri: `https://${slug}.example.com`,
  backendKind: 'mint',
  brokerProviderId: undefined,
  displayName: slug,
  scopes: [{ name: 'read', description: '', upstream: '', default: false }],
  policy: {
    exchange: { allowed_client_ids: [], budgets },
    runtime: { client_ids: ['gateway'] },
    connect: { allowed_return_urls: [] },
  },
  dpopBoundAccessTokensRequired: false,
  version: 1,
  createdAt: before(0),
  updatedAt: before(0),
  archivedAt: undefined,
});

const front = resource('front');
const client = {
  clientId: 'gateway',
  status: 'active',
  grantTypes: [grant],
  tokenEndpointAuthMethod: 'client_secret_basic',
  ceiling: [],
  agent: false,
  dpopBoundAccessTokens: false,
} satisfies ExchangeFacts['client'];
const token = {
  clientId: 'assistant',
  subject: 'alice',
  agent: false,
  scopes: ['read'],
  audiences: [front.uri ?? ''],
  act: undefined,
  jkt: undefined,
  live: true,
  children: 0,
};
const consentAt = (resourceId: string, change: Partial<BudgetConsent> = {}): BudgetConsent => ({
  id: `consent at ${resourceId}`,
  resourceId,
  clientId: 'assistant',
  scopes: ['read'],
  round: 1,
  allowedAt: before(100),
  isOrigin: resourceId === 'front',
  asksAgain: false,
  uses: [],
  ...change,
});
const used = (uses: number, clientId = 'gateway') => [{ clientId, resourceId: 'back', uses }];

/** Gateway exchanges a token for front at back: through a link, or by the consent of the user there. */
const asked = (budgets: ExchangeBudget[], change: Partial<ExchangeFacts> = {}, linked = true): ExchangeFacts => {
  const back = resource('back', budgets);
  const all = [front, back];
  return {
    client,
    subject: { ...token, userId: 'alice', exchanges: 0 },
    actor: undefined,
    provenKey: undefined,
    targets: [{ name: 'back', resource: back }],
    asked: undefined,
    resources: {
      find: (name) => all.find(({ uri, slug }) => uri === name || slug === name),
      byId: (id) => all.find((one) => one.id === id),
      scopes: ['read'],
    },
    linkBetween: () => (linked ? { scopeMap: { read: ['read'] } } : undefined),
    consents: linked ? [] : [{ id: 'consent at back', resourceId: 'back', epoch: 1, scopes: ['read'] }],
    budgetConsents: [consentAt('front'), consentAt('back')],
    now,
    settings: { allowSelfExchange: false, maxChainDepth: 5, maxChildren: 0, proofs: { enabled: true, require: false } },
    ...change,
  };
};
const verdictOf = (facts: ExchangeFacts) => {
  const { gates, refusal } = decide(facts);
  const [gate] = gates.filter((one) => one.gate === 'budget');
  return [gate?.outcome, refusal?.error, refusal?.reason, refusal?.cause];
};
const passed = ['pass', undefined, undefined, undefined];
const skipped = ['skip', undefined, undefined, undefined];
const spent = ['deny', 'consent_required', 'budget_spent', 'budget_spent'];
const expired = ['deny', 'consent_required', 'budget_expired', 'budget_expired'];
const tooDeep = ['deny', 'access_denied', 'budget_too_deep', undefined];
const unfounded = ['deny', 'access_denied', 'budget_without_consent', undefined];
const front5 = (uses: number, clientId?: string) => ({
  budgetConsents: [consentAt('front', { uses: used(uses, clientId) })],
});
const robot = { ...token, clientId: 'robot', subject: 'robot' };
const backLists = (facts: ExchangeFacts): ExchangeFacts => {
  for (const { resource: one } of facts.targets) one?.policy.runtime.client_ids.push('robot');
  return facts;
};

const cases: [name: string, facts: ExchangeFacts, verdict: unknown[]][] = [
  ['no budget', asked([]), skipped],
  ['a budget of another client', asked([{ client_id: 'other', max_uses: 1 }]), skipped],
  ['one is left', asked([{ max_uses: 5 }], front5(4)), passed],
  ['none is left', asked([{ max_uses: 5 }], front5(5)), spent],
  ['more were used than may be now', asked([{ max_uses: 5 }], front5(7)), spent],
  ['uses of another client are its own', asked([{ max_uses: 5 }], front5(5, 'other')), passed],
  [
    'its own entry in the place of the default',
    asked([{ max_uses: 1 }, { client_id: 'gateway', max_uses: 9 }], front5(5)),
    passed,
  ],
  ['the time is not over', asked([{ max_lifetime: 102 }]), passed],
  ['less than a second is left', asked([{ max_lifetime: 100 }]), expired],
  ['the time is over', asked([{ max_lifetime: 60, max_uses: 5 }], front5(5)), expired],
  [
    'the consent at the target counts where there is no link',
    asked([{ max_uses: 5 }], { budgetConsents: [consentAt('front', { uses: used(5) }), consentAt('back')] }, false),
    passed,
  ],
  [
    'and is used up',
    asked([{ max_uses: 5 }], { budgetConsents: [consentAt('back', { uses: used(5) })] }, false),
    spent,
  ],
  [
    'that consent is gone',
    asked([{ max_uses: 5 }], { budgetConsents: [consentAt('front')] }, false),
    ['deny', 'consent_required', 'consent_required', 'consent_missing'],
  ],
  ['the token comes of no consent', asked([{ max_uses: 5 }], { budgetConsents: [consentAt('back')] }), unfounded],
  [
    'a machine is not counted',
    asked([{ max_uses: 5 }], { subject: { ...token, userId: undefined, exchanges: 0 }, budgetConsents: [] }),
    skipped,
  ],
  [
    'a machine has a depth',
    asked([{ max_uses: 5, max_depth: 1 }], {
      subject: { ...token, userId: undefined, exchanges: 1 },
      budgetConsents: [],
    }),
    tooDeep,
  ],
  ['as deep as may be', asked([{ max_depth: 2 }], { subject: { ...token, userId: 'alice', exchanges: 1 } }), passed],
  ['one hop too many', asked([{ max_depth: 2 }], { subject: { ...token, userId: 'alice', exchanges: 2 } }), tooDeep],
  ['a depth needs no consent', asked([{ max_depth: 2 }], { budgetConsents: [] }), passed],
  [
    'who acts has used it up',
    backLists(asked([{ client_id: 'robot', max_uses: 5 }], { actor: robot, ...front5(5, 'robot') })),
    spent,
  ],
  ['who asks has, whoever acts', backLists(asked([{ max_uses: 5 }], { actor: robot, ...front5(5) })), spent],
];

for (const [name, facts, verdict] of cases)
  test(`a budget: ${name}`, () => {
    assert.deepEqual(verdictOf(facts), verdict, JSON.stringify(decide(facts).gates.at(-1)));
  });

test('whoever would be refused anyhow is told why, and not that a budget is used up', () => {
  const { refusal } = decide(asked([{ max_uses: 5 }], { ...front5(5), asked: ['nowhere'] }));
  assert.equal(refusal?.reason, 'scope_outside_catalog');
});

test('what is counted, for whom and until when', () => {
  const { budgets } = decide(backLists(asked([{ max_uses: 5, max_lifetime: 160 }], { actor: robot, ...front5(2) })));
  assert.deepEqual(
    budgets.map(({ clientId, consent, uses, endsAt }) => [clientId, consent?.id, uses, endsAt]),
    [
      ['gateway', 'consent at front', 2, new Date(now.getTime() + 60_000)],
      ['robot', 'consent at front', 0, new Date(now.getTime() + 60_000)],
    ],
  );
  assert.ok(budgets.every((one) => !isUsedUp(one) && !isOver(one, now)));
});

test('nobody reads what was used where nothing is counted', () => {
  const idsOf = (facts: ExchangeFacts) => countedResources(facts).map(({ id }) => id);
  assert.deepEqual(idsOf(asked([])), []);
  assert.deepEqual(idsOf(asked([{ max_depth: 3 }])), []);
  assert.deepEqual(idsOf(asked([{ client_id: 'other', max_uses: 3 }])), []);
  assert.deepEqual(idsOf(asked([{ max_lifetime: 3 }])), ['back']);
  assert.deepEqual(idsOf(asked([{ client_id: 'robot', max_uses: 3 }], { actor: robot })), ['back']);
});

test('where the user can give more: at the resource the link begins at, or at the target, to the client of that consent', () => {
  const about = (given: ExchangeFacts) => {
    const found = missingConsent(given);
    return found && [found.clientId, found.resources.map(({ slug }) => slug), found.scopes];
  };
  const budget = [{ max_uses: 5 }];
  assert.deepEqual(about(asked(budget, front5(5))), ['assistant', ['front'], ['read']]);
  const direct = { budgetConsents: [consentAt('back', { uses: used(5) })] };
  assert.deepEqual(about(asked(budget, direct, false)), ['assistant', ['back'], ['read']]);
  assert.deepEqual(about(asked(budget, { consents: [], budgetConsents: [] }, false)), [
    'assistant',
    ['back'],
    ['read'],
  ]);
  const elsewhere = { budgetConsents: [consentAt('front', { uses: used(5), clientId: 'other' })] };
  assert.deepEqual(about(asked(budget, elsewhere)), ['other', ['front'], ['read']]);
  for (const [name, given] of Object.entries({
    'nothing is used up': asked(budget, front5(4)),
    'it would be too deep anyhow': asked([{ max_uses: 5, max_depth: 1 }], front5(5)),
    'the consent is for nothing that is offered': asked(budget, {
      budgetConsents: [consentAt('front', { uses: used(5), scopes: ['offline_access'] })],
    }),
    'it comes of no consent': asked(budget, { budgetConsents: [] }),
  }))
    assert.equal(about(given), undefined, name);
});
