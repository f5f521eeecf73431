/** What must hold, whatever happens. */
export const invariants = {
  'revoked-stays-dead': 'no token is accepted after its confirmed end',
  'live-stays-live': 'no token is called dead that nobody ended',
  'one-successor': 'no code or refresh token is honoured twice',
  'row-for-token': 'every token that left has its row',
  'own-fault-is-503': 'a fault of ours is 503 with Retry-After, never a 4xx',
  'nothing-fails-in-peace': 'no request fails while nothing it needs is disturbed',
  'jwks-verifies':
    'every token verifies with the JWKS of every pod, at once, a cache lifetime later, and with that of a cache lifetime before',
  'pods-converge': 'every pod follows what was changed, in time',
  'audit-holds': 'the audit trail is whole',
  'harness-understands': 'every answer is one that the harness has a meaning for',
} as const;
export type Invariant = keyof typeof invariants;

export type Violation = { invariant: Invariant; detail: string; atSeconds: number; during: string[] };

export type Violations = {
  list: readonly Violation[];
  /** How often each invariant was put to the test. */
  checks: Readonly<Record<Invariant, number>>;
  checked(invariant: Invariant): void;
  add(invariant: Invariant, detail: string): void;
};

const MOST_KEPT = 100;

/** Collects them; `active` names what is disturbed at this moment. */
export const createViolations = (active: () => string[], onViolation: (violation: Violation) => void): Violations => {
  const list: Violation[] = [];
  const checks = Object.fromEntries(Object.keys(invariants).map((name) => [name, 0])) as Record<Invariant, number>;
  const started = performance.now();
  return {
    list,
    checks,
    checked(invariant) {
      checks[invariant] += 1;
    },
    add(invariant, detail) {
      if (list.length >= MOST_KEPT) return;
      const violation = { invariant, detail, atSeconds: (performance.now() - started) / 1000, during: active() };
      list.push(violation);
      onViolation(violation);
    },
  };
};
