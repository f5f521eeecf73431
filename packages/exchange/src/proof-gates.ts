/** Who wants the new token to be bound to a key: then whoever asks must prove one (RFC 9449 §5.2). */
import { proofMissing } from '@authserver/oauth';
import type { ExchangeFacts } from './facts.ts';
import { deny, pass, skip, type Verdict } from './verdict.ts';
import type { Place } from './ways.ts';

/** For every token here, or for every one of a client. The token endpoint asks it before anything else. */
export const clientProofGate = (facts: ExchangeFacts): Verdict => {
  const about = { gate: 'client_proof' } as const;
  if (facts.settings.proofs.require) return demand(about, 'Every token is bound to a key here', facts);
  return facts.client.dpopBoundAccessTokens
    ? demand(about, 'The tokens of this client are bound to a key', facts)
    : skip(about, 'Tokens of the client need not be bound to a key.');
};

export const targetProofGate = (facts: ExchangeFacts, { name, resource }: Place): Verdict => {
  const about = { gate: 'target_proof', target: name } as const;
  return resource?.dpopBoundAccessTokensRequired
    ? demand(about, 'Tokens for this resource are bound to a key', facts)
    : skip(about, 'Tokens for the target need not be bound to a key.');
};

const demand = (
  about: Pick<Verdict, 'gate' | 'target'>,
  what: string,
  { provenKey, settings: { proofs } }: ExchangeFacts,
): Verdict => {
  if (provenKey === 'unknown' && proofs.enabled) return skip(about, `${what}: the request must prove one (DPoP).`);
  if (provenKey !== undefined && provenKey !== 'unknown') return pass(about, `${what}, and the request proves one.`);
  const { error, description } = proofMissing(what, proofs);
  return deny(about, description, error, 'dpop_missing');
};
