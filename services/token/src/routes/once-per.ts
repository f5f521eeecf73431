/** A document that is written again only when what it is made of has become something else. */
export const oncePer = <Parts extends readonly unknown[]>(
  write: (...parts: Parts) => string,
): ((...parts: Parts) => string) => {
  let last: { parts: Parts; text: string } | undefined;
  return (...parts) => {
    if (last?.parts.length !== parts.length || parts.some((part, at) => part !== last?.parts[at]))
      last = { parts, text: write(...parts) };
    return last.text;
  };
};
