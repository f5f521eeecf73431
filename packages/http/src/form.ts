/** Parameters as they came: a string, or a list where the name was repeated. Never a prototype to pollute. */
export type FormParams = Record<string, string | string[]>;

/** Writes parameters as a form again; ASCII, whatever they hold. */
export const formatForm = (params: FormParams): string => {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) for (const one of [value].flat()) form.append(name, one);
  return form.toString();
};

/** Reads `application/x-www-form-urlencoded` (RFC 6749 appendix B). Repetition is kept, for the endpoint to refuse. */
export const parseForm = (text: string): FormParams => {
  const params: FormParams = Object.create(null);
  for (let at = 0; at < text.length; ) {
    const next = text.indexOf('&', at);
    const end = next < 0 ? text.length : next;
    if (end > at) addPair(params, text.slice(at, end));
    at = end + 1;
  }
  return params;
};

const addPair = (params: FormParams, pair: string): void => {
  const equals = pair.indexOf('=');
  const name = decode(equals < 0 ? pair : pair.slice(0, equals));
  const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
  const known = params[name];
  if (known === undefined) params[name] = value;
  else if (typeof known === 'string') params[name] = [known, value];
  else known.push(value); // in place: a copy a repetition would make a form of 64 KiB cost seconds
};

/** As the URL standard decodes it; little of what is sent needs it, and hardly anything is encoded wrongly. */
const decode = (text: string): string => {
  const hasSpaces = text.includes('+');
  if (!hasSpaces && !text.includes('%')) return text.toWellFormed();
  try {
    return decodeURIComponent(hasSpaces ? text.replaceAll('+', ' ') : text).toWellFormed();
  } catch {
    return new URLSearchParams(`=${text}`).get('') ?? '';
  }
};
