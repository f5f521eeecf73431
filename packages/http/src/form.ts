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
  for (const [name, value] of new URLSearchParams(text)) {
    const known = params[name];
    if (known === undefined) params[name] = value;
    else if (typeof known === 'string') params[name] = [known, value];
    else known.push(value); // in place: a copy a repetition would make a form of 64 KiB cost seconds
  }
  return params;
};
