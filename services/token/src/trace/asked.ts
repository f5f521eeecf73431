/** Request parameters worth remembering: what was wished for. Nothing that proves, binds or identifies a person. */
const worthKeeping = [
  'response_type',
  'response_mode',
  'grant_type',
  'redirect_uri',
  'scope',
  'resource',
  'prompt',
  'max_age',
  'acr_values',
  'code_challenge_method',
  // registration
  'client_name',
  'redirect_uris',
  'grant_types',
  'application_type',
  'token_endpoint_auth_method',
] as const;

const longest = 300;

/** The wishes in a query or a body, cut to a length that cannot be abused. */
export const askedFor = (parameters: unknown): Record<string, unknown> => {
  if (typeof parameters !== 'object' || parameters === null) return {};
  const asked: Record<string, unknown> = {};
  for (const name of worthKeeping) {
    if (!Object.hasOwn(parameters, name)) continue;
    const value = (parameters as Record<string, unknown>)[name];
    if (typeof value === 'string') asked[name] = keep(value);
    else if (Array.isArray(value))
      asked[name] = value.slice(0, 10).map((one) => (typeof one === 'string' ? keep(one) : typeof one));
  }
  return asked;
};

/** PostgreSQL keeps neither NUL nor half a surrogate pair. */
export const keep = (text: string, length = longest): string =>
  text.slice(0, length).toWellFormed().replaceAll('\0', '\ufffd');
