/** Parameters as they came: a string, or a list where the name was repeated. Never a prototype to pollute. */
export type FormParams = Record<string, string | string[]>;

/** Reads `application/x-www-form-urlencoded` (RFC 6749 appendix B). Repetition is kept, for the endpoint to refuse. */
export const parseForm = (text: string): FormParams => {
  const params: FormParams = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const known = params[name];
    params[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
  }
  return params;
};
