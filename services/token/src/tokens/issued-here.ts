import { endOfTurn } from '@authserver/http';
import { OAuthError } from '@authserver/oauth';

/**
 * What this process has given out itself: the facts of a code or a refresh token that do not change while it is unspent, by its
 * hash. Who comes back with it soon, and to the same process, costs no look at the database before the statement that spends it.
 *
 * Whose it is, for what, with which verifier and key, and until when is judged by these facts. Whether it is unspent, and its
 * user, client, consent and family stand, is decided by the statement that spends it; and a refusal is by what the database says.
 */
export type IssuedHere<Facts> = {
  note(hash: Buffer, facts: Facts): void;
  /** Once: who comes again, or comes second, is served from the database. */
  take(hash: Buffer): Facts | undefined;
};

/** Holds what was noted last, so many of them. */
export const createIssuedHere = <Facts>(most: number): IssuedHere<Facts> => {
  const held = new Map<string, Facts>();
  // In the order they were noted. A map knows that as well, but walks over all that was taken out to find its first.
  const order: string[] = [];
  let next = 0;
  const keyOf = (hash: Buffer): string => hash.toString('latin1');
  return {
    note(hash, facts) {
      const oldest = order[next];
      if (oldest !== undefined) held.delete(oldest);
      const key = keyOf(hash);
      order[next] = key;
      next = (next + 1) % most;
      held.set(key, facts);
    },
    take(hash) {
      const key = keyOf(hash);
      const facts = held.get(key);
      if (facts !== undefined) held.delete(key);
      return facts;
    },
  };
};

/**
 * A yes, or nothing: what is remembered refuses nobody. Those of one turn go on in a row, as if a statement they share had returned
 * (decision 0042).
 */
export const unlessRefused = async <T>(judged: Promise<T>): Promise<T | undefined> => {
  try {
    const granted = await judged;
    await endOfTurn();
    return granted;
  } catch (error) {
    if (error instanceof OAuthError) return undefined;
    throw error;
  }
};
