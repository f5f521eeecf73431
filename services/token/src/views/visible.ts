/**
 * Text that strangers chose, made fit to be read by a person who decides on it.
 * Escaping stops such text from being markup; this stops it from lying: by reordering its neighbours, by hiding
 * characters, by stacking marks over other lines, or by sheer length (Unicode UAX #9, UTR #36 and UTS #39).
 */

/** Embeddings, overrides and isolates: with these, a name can reorder the words around it. */
const bidiControl = /[\u202A-\u202E\u2066-\u2069]/gu;

/** Controls other than tab and line feed, surrogates without a partner, private use and unassigned code points. */
const unprintable = /(?![\t\n])[\p{Cc}\p{Cs}\p{Co}\p{Cn}]/gu;

/** Takes room or none, and shows nothing: zero-width characters, direction marks, fillers, tags, variation selectors. */
const invisible = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;

/** White space of every width, and the Braille blank, which looks like it. */
const blank = /[\s\u2800]+/gu;

/** More combining marks than any script writes on one letter. */
const stackedMarks = /(\p{M}{4})\p{M}+/gu;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Replaces what could reorder or corrupt the page by U+FFFD. `html` does this to every text; it removes nothing else. */
export function neutralise(text: string): string {
  return text.replace(bidiControl, '\uFFFD').replace(unprintable, '\uFFFD');
}

/**
 * A name or description on one line, at most `maxGraphemes` long: no hidden characters, no runs of blanks.
 * Answers '' when nothing readable is left, so that the caller can say so in its own words.
 */
export function visible(text: string | null | undefined, maxGraphemes = 80): string {
  // Cut before the costly steps: a registration may carry kilobytes.
  const raw = (text ?? '').slice(0, maxGraphemes * 16).normalize('NFC');
  const blanksJoined = raw.replace(blank, ' ');
  const clean = neutralise(blanksJoined).replace(invisible, '').replace(stackedMarks, '$1').replace(/ +/gu, ' ').trim();

  const kept: string[] = [];
  for (const { segment } of graphemes.segment(clean)) {
    if (kept.length === maxGraphemes) return `${kept.join('').trimEnd()}…`;
    kept.push(segment);
  }
  return kept.join('');
}

/**
 * An identifier, spelled so that no letter can stand for another: everything outside printable ASCII is shown as
 * `\u{…}`. A host therefore has to arrive in its `xn--` form to look like one. Cut in the middle, because the end
 * of a host decides who owns it.
 */
export function ascii(identifier: string | null | undefined, maxLength = 300): string {
  const text = identifier ?? '';
  const half = Math.floor((maxLength - 1) / 2);
  if (text.length > maxLength) return `${escapeNonAscii(text.slice(0, half))}…${escapeNonAscii(text.slice(-half))}`;
  return escapeNonAscii(text);
}

function escapeNonAscii(text: string): string {
  return text.replace(/[^\x20-\x7E]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
