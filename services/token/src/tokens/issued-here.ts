import { OAuthError } from '@authserver/oauth';

/**
 * What this process has given out itself: the facts of a code or a refresh token that never change, by its hash. Who comes back
 * with it soon, and to the same process, costs no look at the database before the statement that spends it.
 *
 * Nothing is decided by it. Whether the code or token is unspent, and its user, client, consent and family stand, is decided
 * by the statement that spends it; and a refusal is always by what the database says.
 */
export type IssuedHere<Facts> = {
  note(hash: Buffer, facts: Facts): void;
  /** Once: who comes again, or comes second, is served from the database. */
  take(hash: Buffer): Facts | undefined;
};

/** Holds so many, and forgets the oldest first. */
export const createIssuedHere = <Facts>(most: number): IssuedHere<Facts> => {
  const held = new Map<string, Facts>();
  const keyOf = (hash: Buffer): string => hash.toString('latin1');
  return {
    note(hash, facts) {
      if (held.size >= most) held.delete(held.keys().next().value as string);
      held.set(keyOf(hash), facts);
    },
    take(hash) {
      const key = keyOf(hash);
      const facts = held.get(key);
      if (facts !== undefined) held.delete(key);
      return facts;
    },
  };
};

/** A yes, or nothing: what is remembered refuses nobody. */
export const unlessRefused = async <T>(judged: Promise<T>): Promise<T | undefined> => {
  try {
    return await judged;
  } catch (error) {
    if (error instanceof OAuthError) return undefined;
    throw error;
  }
};
