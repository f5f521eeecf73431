/** Output for people and for `cut`: one object a line, as `key=value` pairs separated by spaces. */
export type Value = string | number | boolean | null | undefined | readonly string[];

/** An absent value is left out; an empty one is shown as `key=`. */
export const pairs = (values: Record<string, Value>): string =>
  Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${shown(value)}`)
    .join(' ');

/** A line an object, or the sentence that there is none. */
export const rows = <T>(items: readonly T[], none: string, toValues: (item: T) => Record<string, Value>): string[] =>
  items.length === 0 ? [none] : items.map((item) => pairs(toValues(item)));

const shown = (value: Value): string =>
  Array.isArray(value) ? `[${value.map((item) => text(item)).join(',')}]` : text(String(value));

/** Names come from strangers (RFC 7591): nothing in one may start a new pair or line, or command the terminal. */
const unsafe = /[\s"\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const text = (value: string): string =>
  unsafe.test(value)
    ? JSON.stringify(value).replace(invisible, (character) =>
        [...new Array(character.length).keys()]
          .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
          .join(''),
      )
    : value;
