/** A position in a list, as the caller carries it from page to page. Opaque so that nobody builds on what is in it. */
export const toCursor = (position: string): string => Buffer.from(`1 ${position}`).toString('base64url');

/** The position in a cursor, or `undefined` when it is none of ours. */
export const fromCursor = (cursor: string): string | undefined => {
  const text = Buffer.from(cursor, 'base64url').toString();
  const position = text.slice(2);
  return text.startsWith('1 ') && toCursor(position) === cursor && !/\p{Cc}/u.test(position) ? position : undefined;
};
