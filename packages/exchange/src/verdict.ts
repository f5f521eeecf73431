import type { DenialReason, ErrorCode } from '@authserver/oauth';

/** Every question an exchange has to pass, in the order they are asked. */
export const exchangeGates = [
  'client',
  'client_proof',
  'subject_token',
  'subject_key',
  'target',
  'self_exchange',
  'catalog',
  'operator_list',
  'link',
  'subject_scope',
  'cross_client',
  'consent',
  'ceiling',
  'scope',
  'actor_token',
  'actor',
  'chain_depth',
  'children',
  'target_proof',
  'budget',
] as const;
export type ExchangeGate = (typeof exchangeGates)[number];

/** What is answered to the client, and why. */
export type Refusal = {
  error: ErrorCode;
  reason: DenialReason;
  description: string;
  /** Of `consent_required`. */
  cause?: 'consent_missing' | 'scope_insufficient' | 'budget_spent' | 'budget_expired';
};

export type Verdict = {
  gate: ExchangeGate;
  /** The target it is about, as the request names it; absent for the request as a whole. */
  target?: string;
  outcome: 'pass' | 'deny' | 'skip';
  detail: string;
  refusal?: Refusal;
};

type About = Pick<Verdict, 'gate' | 'target'>;

export const pass = (about: About, detail: string): Verdict => ({ ...about, outcome: 'pass', detail });
/** The question does not arise. */
export const skip = (about: About, detail: string): Verdict => ({ ...about, outcome: 'skip', detail });
export const deny = (
  about: About,
  detail: string,
  error: ErrorCode,
  reason: DenialReason,
  description = detail,
  cause?: Refusal['cause'],
): Verdict => ({
  ...about,
  outcome: 'deny',
  detail,
  refusal: { error, reason, description, ...(cause === undefined ? {} : { cause }) },
});
