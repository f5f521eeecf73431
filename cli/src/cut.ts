import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter();

/** At most `width` columns of a terminal, with an ellipsis where something is missing: at the end, or at the start. */
export const cut = (text: string, width: number, at: 'start' | 'end' = 'end'): string => {
  if (stringWidth(text) <= width) return text;
  const segments = [...graphemes.segment(text)].map(({ segment }) => segment);
  if (at === 'start') segments.reverse();
  const kept: string[] = [];
  let room = width - 1;
  for (const segment of segments) {
    room -= stringWidth(segment);
    if (room < 0) break;
    kept.push(segment);
  }
  return at === 'start' ? `…${kept.reverse().join('')}` : `${kept.join('')}…`;
};
