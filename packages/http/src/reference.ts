import { createHash } from 'node:crypto';

/** Without I, L, O and U: nothing that looks or sounds like something else (Crockford's base 32). */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * What a person reads out when a page went wrong: eight characters made from the request id, so that whoever knows the
 * id (log, `X-Request-Id`) can work it out.
 */
export const referenceOf = (requestId: string): string => {
  const digest = createHash('sha256').update(requestId).digest();
  const characters = [...digest.subarray(0, 8)].map((byte) => alphabet[byte % 32]).join('');
  return `${characters.slice(0, 4)}-${characters.slice(4)}`;
};

/** A reference as it was typed or heard, in its one spelling; anything else is taken for a request id. */
export const readReference = (typed: string): string => {
  const plain = typed.trim().toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
  return /^[0-9A-HJKMNP-TV-Z]{8}$/.test(plain) ? `${plain.slice(0, 4)}-${plain.slice(4)}` : referenceOf(typed.trim());
};
