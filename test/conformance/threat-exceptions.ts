/** Attacks that no black-box test of this release can run, and why. An attack that has a test may not stand here. */
export const threatExceptions: Readonly<Record<string, string>> = {
  E08: 'Resource servers check proofs; what they need for it, `cnf` and `token_type`, is tested under E10.',
  H12: 'This release has one factor: there is no step between password and session.',
};
