import type { Grant } from './grant.ts';

/** A grant type with several kinds of answers (RFC 8693 §2.1): `requested_token_type` says which grant decides. */
export const byRequestedTokenType = (usual: Grant, others: ReadonlyMap<string, Grant>): Grant => ({
  type: usual.type,
  authorize: (params, context) => (others.get(params.requested_token_type ?? '') ?? usual).authorize(params, context),
});
