import type { GrantType } from '@authserver/oauth';
import { actingClientOf, depthOf } from './delegation.ts';
import type { ExchangeFacts } from './facts.ts';
import { deny, pass, skip, type Verdict } from './verdict.ts';
import { isOwnToken, mayBringTokens, type Place, reachableEverywhere, takesOurTokens } from './ways.ts';

const tokenExchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 8693 §5: else whoever finds a token could trade it for another. */
export const clientGate = ({ client }: ExchangeFacts): Verdict => {
  const gate = 'client';
  if (client.status !== 'active')
    return deny({ gate }, `The client is ${client.status}.`, 'invalid_client', 'client_not_active');
  if (!client.grantTypes.includes(tokenExchange))
    return deny({ gate }, 'The client is not registered for the grant.', 'unauthorized_client', 'grant_not_registered');
  return client.tokenEndpointAuthMethod === 'none'
    ? deny({ gate }, 'A public client may not exchange tokens.', 'unauthorized_client', 'client_method_mismatch')
    : pass({ gate }, 'The client is active, confidential and registered for the grant.');
};

export const subjectTokenGate = ({ subject }: ExchangeFacts): Verdict => {
  const gate = 'subject_token';
  return subject.live
    ? pass({ gate }, 'Neither the subject token nor anything it rests on has ended.')
    : deny({ gate }, 'The subject token is invalid, expired or revoked.', 'invalid_request', 'subject_token_revoked');
};

/** A bound token is worth nothing to a thief, so it must not be traded for one that is (RFC 9449 §1). */
export const keyGate = ({ subject, actor, provenKey }: ExchangeFacts): Verdict => {
  const gate = 'subject_key';
  const bound = [subject.jkt, actor?.jkt].filter((jkt) => jkt !== undefined);
  if (bound.length === 0) return skip({ gate }, 'Neither token is bound to a key.');
  if (provenKey === 'unknown') return skip({ gate }, `The request must prove the key ${bound.join(' and ')} (DPoP).`);
  if (bound.every((jkt) => jkt === provenKey))
    return pass({ gate }, 'The request proves the key the token is bound to.');
  const reason = provenKey === undefined ? 'dpop_missing' : 'dpop_key_mismatch';
  return deny({ gate }, 'The token is bound to a key; prove that key in the DPoP header.', 'invalid_request', reason);
};

export const targetGate = ({ targets }: ExchangeFacts): Verdict => {
  const gate = 'target';
  if (targets.length === 0) return skip({ gate }, 'No target is named.');
  for (const { name, resource } of targets) {
    if (!resource)
      return deny({ gate, target: name }, 'The target is not known here.', 'invalid_target', 'invalid_resource');
    if (!takesOurTokens(resource))
      return deny(
        { gate, target: name },
        'The target takes no tokens of this server.',
        'invalid_target',
        'resource_not_mint',
      );
  }
  return pass({ gate }, 'Every target is a resource whose tokens are ours.');
};

/** Without a target the new token is for what the old one is for; that is the client's own affair, or nobody's. */
export const selfExchangeGate = (facts: ExchangeFacts): Verdict => {
  const gate = 'self_exchange';
  if (facts.targets.length > 0) return skip({ gate }, 'A target is named.');
  if (!isOwnToken(facts))
    return deny(
      { gate },
      'Name the resource the token of another client is exchanged for.',
      'access_denied',
      'self_exchange_denied',
    );
  return facts.settings.allowSelfExchange
    ? pass({ gate }, 'A client may exchange its own token (token_exchange.allow_self_exchange).')
    : deny(
        { gate },
        'Name a resource; a token is not exchanged for one like it.',
        'access_denied',
        'self_exchange_denied',
      );
};

export const catalogGate = ({ asked }: ExchangeFacts, places: readonly Place[]): Verdict => {
  const gate = 'catalog';
  if (!asked) return skip({ gate }, 'No scope is asked for: all that can be reached.');
  const unknown = asked.some((scope) => !places.some(({ offered }) => offered.includes(scope)));
  const idle = places.some(({ offered }) => !asked.some((scope) => offered.includes(scope)));
  return unknown || idle
    ? deny(
        { gate },
        unknown
          ? 'A scope is not offered at any of the targets.'
          : 'None of the scopes is offered at one of the targets.',
        'invalid_scope',
        'scope_outside_catalog',
      )
    : pass({ gate }, 'Every scope is offered at a target.');
};

export const scopeGate = ({ asked }: ExchangeFacts, places: readonly Place[]): Verdict => {
  const gate = 'scope';
  const scopes = asked ?? reachableEverywhere(places);
  const empty = places.some(({ offered }) => !scopes.some((scope) => offered.includes(scope)));
  return empty || scopes.length === 0
    ? deny({ gate }, 'Nothing is left that the token could be good for.', 'invalid_scope', 'scope_empty')
    : pass({ gate }, `The token has the scope ${scopes.join(' ')}.`);
};

export const actorTokenGate = ({ actor }: ExchangeFacts): Verdict => {
  const gate = 'actor_token';
  if (!actor) return skip({ gate }, 'There is no actor token.');
  if (!actor.live)
    return deny({ gate }, 'The actor token is invalid, expired or revoked.', 'invalid_request', 'actor_token_revoked');
  return actingClientOf(actor) === undefined
    ? deny({ gate }, 'The actor token must be one that a client got for itself.', 'invalid_request', 'actor_not_client')
    : pass({ gate }, 'The actor token is of a client, and live.');
};

/** Whoever is named as the one that acts must be allowed to at every target, not only whoever asks. The server has no list. */
export const actorGate = ({ client, actor }: ExchangeFacts, places: readonly Place[]): Verdict => {
  const gate = 'actor';
  const acting = actor && actingClientOf(actor);
  if (acting === undefined) return skip({ gate }, 'Nobody is named who acts.');
  if (acting === client.clientId) return pass({ gate }, 'The client acts itself.');
  const refusing = places.find(({ resource }) => !resource || !mayBringTokens(resource, acting));
  return refusing
    ? deny(
        { gate, target: refusing.name },
        `${acting} is on neither list of the target, so it may not act there.`,
        'access_denied',
        'actor_not_authorized',
        'The actor may not act at the target.',
      )
    : pass({ gate }, `${acting} may act at every target.`);
};

/** Refused and not shortened, so that a token always tells everybody who acted; and no chain goes on for ever. */
export const depthGate = (facts: ExchangeFacts, places: readonly Place[]): Verdict => {
  const gate = 'chain_depth';
  const { maxChainDepth } = facts.settings;
  const depth = depthOf(facts, places);
  return depth > maxChainDepth
    ? deny({ gate }, `The chain would be longer than ${maxChainDepth}.`, 'invalid_request', 'chain_too_deep')
    : pass({ gate }, `The chain is ${depth} of ${maxChainDepth} long.`);
};

/** A token in the wrong hands, or a loop, does not become a crowd. RFC 8693 §2.2.2 has this code for policies as well. */
export const childrenGate = ({ subject, settings }: ExchangeFacts): Verdict => {
  const gate = 'children';
  const { maxChildren } = settings;
  if (maxChildren === 0) return skip({ gate }, 'Any number of tokens may come of one.');
  return subject.children >= maxChildren
    ? deny(
        { gate },
        `${maxChildren} live tokens come of the subject token, and no more may; use those until they end.`,
        'invalid_request',
        'too_many_children',
      )
    : pass({ gate }, `${subject.children} of ${maxChildren} live tokens come of the subject token.`);
};
