import { includesAll, intersectScopes } from '@authserver/oauth';
import type { ExchangeFacts } from './facts.ts';
import { deny, pass, skip, type Verdict } from './verdict.ts';
import { isOwnToken, mayBringTokens, type Place } from './ways.ts';

type Gate = (facts: ExchangeFacts, place: Place) => Verdict;

/** What is asked for at this place: all that can be had, unless scopes are named. */
const askedAt = ({ asked }: ExchangeFacts, { offered, reachable }: Place): readonly string[] =>
  asked ? intersectScopes(asked, offered) : reachable;

/** The operator's list of a target, when there is one, binds everybody. */
export const operatorListGate: Gate = ({ client }, { name, resource }) => {
  const about = { gate: 'operator_list', target: name } as const;
  const list = resource?.policy.exchange.allowed_client_ids ?? [];
  if (list.length === 0) return skip(about, 'The exchange list of the target is empty.');
  return list.includes(client.clientId)
    ? pass(about, 'The client is on the exchange list of the target.')
    : deny(
        about,
        'The client is not on the exchange list of the target.',
        'access_denied',
        'operator_gate_denied',
        'The client may not exchange tokens for this target.',
      );
};

/** Whether an operator's link leads to the target. Nobody is refused for want of one: then the user must have consented. */
export const linkGate: Gate = (_facts, { name, way }) => {
  const about = { gate: 'link', target: name } as const;
  return way.kind === 'fronted'
    ? pass(about, `The client stands in front: a link leads here from ${way.source.slug}.`)
    : skip(about, 'No link leads here that the client may use.');
};

/** The new token can do no more than the old one: on a fronted way, no more than its scopes are mapped to. */
export const subjectScopeGate: Gate = (facts, place) => {
  const about = { gate: 'subject_scope', target: place.name } as const;
  const wanted = askedAt(facts, place);
  const { scopes: held } = facts.subject;
  const { way } = place;
  if (way.kind !== 'fronted')
    return includesAll(held, wanted)
      ? pass(about, 'The subject token has what is asked for.')
      : deny(about, 'The scope exceeds that of the subject token.', 'invalid_scope', 'subject_scope_ceiling');
  const leading = (scope: string) =>
    Object.entries(way.scopeMap).flatMap(([source, targets]) => (targets.includes(scope) ? [source] : []));
  if (wanted.some((scope) => leading(scope).length === 0))
    return deny(about, 'A scope is one no link leads to.', 'invalid_scope', 'fronting_scope_unmapped');
  return wanted.every((scope) => leading(scope).some((source) => held.includes(source)))
    ? pass(about, 'The subject token has the scopes that map to what is asked for.')
    : deny(
        about,
        'The subject token lacks the scope that leads to what is asked for.',
        'invalid_scope',
        'fronting_subject_scope_insufficient',
      );
};

/** The token of another client is exchanged only by those whom an operator named at the target: default is deny. */
export const crossClientGate: Gate = (facts, { name, resource, way }) => {
  const about = { gate: 'cross_client', target: name } as const;
  if (isOwnToken(facts)) return skip(about, 'The subject token is the client\u2019s own.');
  if (way.kind === 'fronted') return skip(about, 'The link speaks for the client.');
  return resource && mayBringTokens(resource, facts.client.clientId)
    ? pass(about, 'The client is on a list of the target.')
    : deny(
        about,
        'The subject token is of another client, and the client is on neither list of the target.',
        'access_denied',
        'cross_client_not_authorized',
        'The client may not exchange the token of another client for this target.',
      );
};

/** What the user allowed the client of the subject token, whoever exchanges it. */
export const consentGate: Gate = (facts, place) => {
  const about = { gate: 'consent', target: place.name } as const;
  const { way } = place;
  if (way.kind === 'fronted') return skip(about, 'The consent at the resource in front holds for what is behind it.');
  if (way.kind === 'self') return skip(about, 'A client exchanges its own token.');
  if (facts.subject.userId === undefined)
    return deny(about, 'The subject is a machine, and nobody can consent for it.', 'access_denied', 'subject_not_user');
  if (!way.consent)
    return deny(
      about,
      'The user has not allowed the client of the subject token this target.',
      'consent_required',
      'consent_required',
      undefined,
      'consent_missing',
    );
  return includesAll(way.consent.scopes, askedAt(facts, place))
    ? pass(about, 'The user allowed the client of the subject token what is asked for.')
    : deny(
        about,
        'The user has allowed the client of the subject token less than is asked for.',
        'consent_required',
        'scope_not_consented',
        undefined,
        'scope_insufficient',
      );
};

/** The registered scope of whoever asks, where it has one. */
export const ceilingGate: Gate = (facts, place) => {
  const about = { gate: 'ceiling', target: place.name } as const;
  const { ceiling } = facts.client;
  if (ceiling.length === 0) return skip(about, 'The client is registered without a scope.');
  return includesAll(ceiling, askedAt(facts, place))
    ? pass(about, 'The client is registered for what is asked for.')
    : deny(about, 'The scope exceeds what the client is registered for.', 'invalid_scope', 'scope_outside_ceiling');
};
