import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GrantType } from '@authserver/oauth';
import type { Resource } from '@authserver/store';
import { decide } from './decide.ts';
import type { ExchangeFacts, SubjectToken } from './facts.ts';
import { missingConsent } from './missing-consent.ts';
import { exchangeGates } from './verdict.ts';

const grant: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';

const resource = (
  slug: string,
  scopes: string[],
  lists: { exchange?: string[]; runtime?: string[] } = {},
): Resource => ({
  id: slug,
  slug,
  uri: `https://${slug}.example.com`,
  backendKind: 'mint',
  brokerProviderId: undefined,
  displayName: slug,
  scopes: scopes.map((name) => ({ name, description: '', upstream: '', default: false })),
  policy: {
    exchange: { allowed_client_ids: lists.exchange ?? [] },
    runtime: { client_ids: lists.runtime ?? [] },
    connect: { allowed_return_urls: [] },
  },
  dpopBoundAccessTokensRequired: false,
  version: 1,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  archivedAt: undefined,
});

const now = new Date('2026-01-01T00:00:00Z');

const front = resource('front', ['read', 'write'], { runtime: ['gateway'] });
const back = resource('back', ['rows', 'drop']);
const side = resource('side', ['read', 'write'], { exchange: ['gateway', 'assistant'] });
const all = [front, back, side];

const token = {
  clientId: 'assistant',
  subject: 'alice',
  agent: false,
  scopes: ['read'],
  audiences: [front.uri ?? ''],
  act: undefined,
  jkt: undefined,
  live: true,
  userId: 'alice',
  exchanges: 0,
  children: 0,
} satisfies SubjectToken;

const facts = (change: Partial<ExchangeFacts> = {}, subject: Partial<SubjectToken> = {}): ExchangeFacts => ({
  client: {
    clientId: 'gateway',
    status: 'active',
    grantTypes: [grant],
    tokenEndpointAuthMethod: 'client_secret_basic',
    ceiling: [],
    agent: false,
    dpopBoundAccessTokens: false,
  },
  subject: { ...token, ...subject },
  actor: undefined,
  provenKey: undefined,
  targets: [{ name: 'back', resource: back }],
  asked: undefined,
  resources: {
    find: (name) => all.find(({ uri, slug }) => uri === name || slug === name),
    byId: (id) => all.find((one) => one.id === id),
    scopes: ['read', 'write', 'rows', 'drop'],
  },
  linkBetween: (source, target) =>
    source === front && target === back ? { scopeMap: { read: ['rows'], write: ['rows', 'drop'] } } : undefined,
  consents: [],
  budgetConsents: [],
  now,
  settings: { allowSelfExchange: false, maxChainDepth: 5, maxChildren: 3, proofs: { enabled: true, require: false } },
  ...change,
});
const assistant = {
  clientId: 'assistant',
  status: 'active',
  grantTypes: [grant],
  tokenEndpointAuthMethod: 'client_secret_basic',
  ceiling: [],
  agent: true,
  dpopBoundAccessTokens: false,
} satisfies ExchangeFacts['client'];
const atSide = [{ name: 'side', resource: side }];
const consent = (...scopes: string[]) => [{ id: 'c', resourceId: 'side', epoch: 1, scopes }];

test('what is allowed is allowed for as much as everybody said', () => {
  const fronted = decide(facts());
  assert.equal(fronted.refusal, undefined);
  assert.deepEqual(fronted.scopes, ['rows']);
  const direct = decide(facts({ targets: atSide, consents: consent('read', 'write') }, { scopes: ['read', 'write'] }));
  assert.deepEqual([direct.refusal, direct.scopes], [undefined, ['read', 'write']]);
  const bounded = { ...assistant, ceiling: ['read'] };
  assert.deepEqual(
    decide(
      facts({ client: bounded, targets: atSide, consents: consent('read', 'write') }, { scopes: ['read', 'write'] }),
    ).scopes,
    ['read'],
  );
});

const denials: [name: string, facts: ExchangeFacts, gate: string, reason: string][] = [
  [
    'a public client',
    facts({ client: { ...assistant, tokenEndpointAuthMethod: 'none' } }),
    'client',
    'client_method_mismatch',
  ],
  [
    'a client whose tokens are bound, without a proof',
    facts({ client: { ...assistant, dpopBoundAccessTokens: true } }),
    'client_proof',
    'dpop_missing',
  ],
  [
    'proofs of everybody, where there are none',
    facts({ provenKey: 'unknown', settings: { ...facts().settings, proofs: { enabled: false, require: true } } }),
    'client_proof',
    'dpop_missing',
  ],
  [
    'a target whose tokens are bound, without a proof',
    facts({
      targets: [{ name: 'side', resource: { ...side, dpopBoundAccessTokensRequired: true } }],
      consents: consent('read'),
    }),
    'target_proof',
    'dpop_missing',
  ],
  [
    'another actor at the server itself, where no list says who may act',
    facts(
      {
        ...{ client: assistant, targets: [], actor: { ...token, clientId: 'robot', subject: 'robot' } },
        settings: { ...facts().settings, allowSelfExchange: true },
      },
      { audiences: ['https://as.example.com'] },
    ),
    'actor',
    'actor_not_authorized',
  ],
  ['a suspended client', facts({ client: { ...assistant, status: 'suspended' } }), 'client', 'client_not_active'],
  ['a client without the grant', facts({ client: { ...assistant, grantTypes: [] } }), 'client', 'grant_not_registered'],
  ['a dead subject', facts({}, { live: false }), 'subject_token', 'subject_token_revoked'],
  ['no proof of its key', facts({}, { jkt: 'k' }), 'subject_key', 'dpop_missing'],
  ['proof of another key', facts({ provenKey: 'other' }, { jkt: 'k' }), 'subject_key', 'dpop_key_mismatch'],
  ['an unknown target', facts({ targets: [{ name: 'x', resource: undefined }] }), 'target', 'invalid_resource'],
  [
    'a target whose tokens are not ours',
    facts({ targets: [{ name: 'x', resource: { ...back, backendKind: 'broker' } }] }),
    'target',
    'resource_not_mint',
  ],
  ['no target', facts({ targets: [], client: assistant }), 'self_exchange', 'self_exchange_denied'],
  ['a scope of nowhere', facts({ asked: ['read'] }), 'catalog', 'scope_outside_catalog'],
  [
    'a client the list leaves out',
    facts({ client: { ...assistant, clientId: 'stranger' }, targets: atSide }),
    'operator_list',
    'operator_gate_denied',
  ],
  [
    'a scope that another one leads to',
    facts({ asked: ['drop'] }),
    'subject_scope',
    'fronting_subject_scope_insufficient',
  ],
  [
    'more than the subject has',
    facts({ targets: atSide, consents: consent('read', 'write'), asked: ['write'] }),
    'subject_scope',
    'subject_scope_ceiling',
  ],
  [
    'the token of another',
    facts({ client: { ...assistant, clientId: 'stranger' } }),
    'cross_client',
    'cross_client_not_authorized',
  ],
  ['no consent', facts({ targets: atSide }), 'consent', 'consent_required'],
  [
    'less consent',
    facts({ targets: atSide, asked: ['read'], consents: consent('write') }),
    'consent',
    'scope_not_consented',
  ],
  [
    'a machine where only a user could consent',
    facts({ targets: atSide }, { userId: undefined }),
    'consent',
    'subject_not_user',
  ],
  [
    'beyond the ceiling',
    facts({ client: { ...facts().client, ceiling: ['x'] }, asked: ['rows'] }),
    'ceiling',
    'scope_outside_ceiling',
  ],
  ['nothing left', facts({ targets: atSide, consents: consent('write') }), 'scope', 'scope_empty'],
  ['a dead actor', facts({ actor: { ...token, live: false } }), 'actor_token', 'actor_token_revoked'],
  ['a user as actor', facts({ actor: token }), 'actor_token', 'actor_not_client'],
  [
    'an actor on no list',
    facts({ actor: { ...token, clientId: 'robot', subject: 'robot' } }),
    'actor',
    'actor_not_authorized',
  ],
  ['a crowd of children', facts({}, { children: 3 }), 'children', 'too_many_children'],
  ['a long lineage', facts({}, { exchanges: 5 }), 'chain_depth', 'chain_too_deep'],
  [
    'a long chain',
    facts(
      { settings: { ...facts().settings, maxChainDepth: 2, maxChildren: 0 } },
      { act: { sub: 'a', act: { sub: 'b' } } },
    ),
    'chain_depth',
    'chain_too_deep',
  ],
];

for (const [name, given, gate, reason] of denials)
  test(`denied: ${name}`, () => {
    const { gates, refusal } = decide(given);
    const first = gates.find(({ outcome }) => outcome === 'deny');
    assert.deepEqual([first?.gate, refusal?.reason], [gate, reason]);
    assert.equal(first?.refusal, refusal);
  });

test('gates come in their order, each once for the request or once for each target, whatever is denied', () => {
  const { gates } = decide(facts({ targets: [...atSide, { name: 'back', resource: back }], asked: ['nowhere'] }));
  const order = [...new Set(gates.map(({ gate }) => gate))];
  assert.deepEqual(order, exchangeGates);
  assert.equal(gates.filter(({ gate }) => gate === 'consent').length, 2);
});

test('a token for an assertion names its client behind whoever stands in front, and the identity provider last', () => {
  const vouched = { sub: 'https://idp.example.com' };
  assert.deepEqual(decide(facts({}, { act: vouched })).act, {
    ...{ sub: 'gateway', actor_type: 'service' },
    act: { sub: 'assistant', actor_type: 'service', act: vouched },
  });
  const second = { sub: 'other', actor_type: 'agent', act: vouched };
  assert.deepEqual(decide(facts({}, { act: second })).act?.act, second);
});

test('who acted before decides nothing [R8693-11]', () => {
  const chains = [undefined, { sub: 'gateway' }, { sub: 'stranger', act: { sub: 'gateway' } }];
  for (const client of [facts().client, { ...assistant, clientId: 'stranger' }]) {
    const verdicts = chains.map((act) => decide(facts({ client }, { act })).gates.map(({ outcome }) => outcome));
    for (const each of verdicts) assert.deepEqual(each, verdicts[0]);
  }
});

test('a scope that two targets offer counts only if both may be reached with it', () => {
  const other = { ...resource('other', ['read', 'write']), id: 'other' };
  const given = facts(
    {
      client: assistant,
      targets: [...atSide, { name: 'other', resource: other }],
      consents: [...consent('read', 'write'), { id: 'o', resourceId: 'other', epoch: 1, scopes: ['read'] }],
    },
    { scopes: ['read', 'write'] },
  );
  assert.deepEqual(decide(given).scopes, ['read']);
  assert.equal(decide({ ...given, asked: ['write'] }).refusal?.reason, 'scope_not_consented');
});

const wide = { scopes: ['read', 'write'] };
const missing: [name: string, facts: ExchangeFacts, scopes: string[] | undefined][] = [
  ['nothing allowed yet', facts({ targets: atSide }, wide), ['read', 'write']],
  ['nothing allowed yet, one scope named', facts({ targets: atSide, asked: ['write'] }, wide), ['write']],
  [
    'less allowed than is named',
    facts({ targets: atSide, asked: ['read', 'write'], consents: consent('read') }, wide),
    ['write'],
  ],
  ['what who asks may have', facts({ targets: atSide, client: { ...assistant, ceiling: ['read'] } }, wide), ['read']],
  ['enough allowed', facts({ targets: atSide, consents: consent('read') }, wide), undefined],
  ['nothing that could be allowed', facts({ targets: atSide }, { scopes: ['other'] }), undefined],
  ['a subject that ended', facts({ targets: atSide }, { live: false }), undefined],
  ['a machine', facts({ targets: atSide }, { userId: undefined }), undefined],
  ['another refusal behind it', facts({ targets: atSide }, { exchanges: 99 }), undefined],
  ['a way that needs no consent', facts({ asked: ['drop'] }), undefined],
];
for (const [name, about, scopes] of missing)
  test(`the user is asked for ${scopes?.join(' ') ?? 'nothing'}: ${name}`, () => {
    const found = missingConsent(about);
    assert.deepEqual(found, scopes && { clientId: 'assistant', resources: [side], scopes });
  });
