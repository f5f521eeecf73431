/**
 * Whether a token may be exchanged, and for what (RFC 8693). A pure function of what is known: the token endpoint asks it
 * before it issues, and the admin API to explain what the token endpoint would say. Every gate is asked, also behind one
 * that denies, so that an explanation has all there is to say; the first that denies is what the client is told.
 *
 * A new token never reaches further than the subject token: its scopes are among those of the subject token, or, where an
 * operator linked two resources, among those they map to.
 */
import type { Actor } from '@authserver/oauth';
import type { Resource } from '@authserver/store';
import { budgetGate } from './budget-gate.ts';
import { type Budgeted, budgetsAt } from './budgets.ts';
import { actorOf, depthOf } from './delegation.ts';
import type { Consent, ExchangeFacts } from './facts.ts';
import { clientProofGate, targetProofGate } from './proof-gates.ts';
import * as request from './request-gates.ts';
import * as target from './target-gates.ts';
import type { Refusal, Verdict } from './verdict.ts';
import { type Place, placesOf, reachableEverywhere } from './ways.ts';

/** One resource of the new token, and the consent it rests on, if it rests on one. */
export type ExchangeTarget = {
  name: string;
  resource: Resource | undefined;
  way: Place['way']['kind'];
  consent: Consent | undefined;
  /** Those of the token's scopes that this resource offers. */
  scopes: readonly string[];
};

export type ExchangeDecision = {
  gates: readonly Verdict[];
  /** Absent: it is allowed, and the rest says for what. */
  refusal: Refusal | undefined;
  scopes: readonly string[];
  targets: readonly ExchangeTarget[];
  /** What is counted, and until when it may go on. */
  budgets: readonly Budgeted[];
  /** How long its chain is. */
  depth: number;
  act: Actor | undefined;
  kind: 'impersonation' | 'delegation';
};

export const decide = (facts: ExchangeFacts): ExchangeDecision => {
  const places = placesOf(facts);
  const depth = depthOf(facts, places);
  const gates = [
    request.clientGate(facts),
    clientProofGate(facts),
    request.subjectTokenGate(facts),
    request.keyGate(facts),
    request.targetGate(facts),
    request.selfExchangeGate(facts),
    request.catalogGate(facts, places),
    ...everywhere(target.operatorListGate),
    ...everywhere(target.linkGate),
    ...everywhere(target.subjectScopeGate),
    ...everywhere(target.crossClientGate),
    ...everywhere(target.consentGate),
    ...everywhere(target.ceilingGate),
    request.scopeGate(facts, places),
    request.actorTokenGate(facts),
    request.actorGate(facts, places),
    request.depthGate(facts, places),
    request.childrenGate(facts),
    ...everywhere(targetProofGate),
    ...places.map((place) => budgetGate(facts, place, depth)),
  ];
  const scopes = facts.asked ?? reachableEverywhere(places);
  const act = actorOf(facts, places);
  return {
    gates,
    refusal: gates.find(({ refusal }) => refusal)?.refusal,
    scopes,
    targets: places.map(({ name, resource, way, offered }) => ({
      name,
      resource,
      way: way.kind,
      consent: way.kind === 'direct' ? way.consent : undefined,
      scopes: scopes.filter((scope) => offered.includes(scope)),
    })),
    budgets: places.flatMap((place) => budgetsAt(facts, place)),
    depth,
    act,
    kind: act ? 'delegation' : 'impersonation',
  };

  function everywhere(gate: (facts: ExchangeFacts, place: Place) => Verdict): Verdict[] {
    return places.map((place) => gate(facts, place));
  }
};
