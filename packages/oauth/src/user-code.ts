import { randomInt } from 'node:crypto';

/** RFC 8628 §6.1: consonants only, so that no word appears and no letter is taken for a digit. */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ';
const length = 8;

/**
 * A code for a person to type: eight letters, 20^8 or some 34.6 bits.
 *
 * What that is worth (RFC 8628 §5.1): a guess hits only a code that waits at that moment. With a thousand of them waiting,
 * one guess in 25 million does; at ten a minute, which is what an address gets, that takes five years of guessing without
 * a pause. Only who is signed in may guess, and a hit lets them give away access of their own, to a device not theirs.
 */
export const newUserCode = (): string => Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');

/**
 * What a person typed, as it is stored: upper case, without blanks and punctuation. `undefined` when it cannot be a code.
 * The characters left out of the alphabet are refused rather than guessed at (RFC 8628 §6.1).
 */
export const readUserCode = (typed: string | undefined): string | undefined => {
  if (typed === undefined || typed.length > 64) return undefined;
  const letters = typed.replace(/[^\p{L}\p{N}]/gu, '');
  // ASCII before upper case: there are letters that become ours by it, such as the long s.
  if (letters.length !== length || !/^[A-Za-z]+$/.test(letters)) return undefined;
  const code = letters.toUpperCase();
  return [...code].every((letter) => alphabet.includes(letter)) ? code : undefined;
};

/** In two groups, which are easier to read aloud and to compare. */
export const showUserCode = (code: string): string => `${code.slice(0, length / 2)}-${code.slice(length / 2)}`;
