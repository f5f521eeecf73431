type Details = Record<string, unknown>;

/**
 * An audit event's details on one line: plain members and lists of them as `key=value`, and of `before` and `after` what
 * differs, as `key=old->new`, member by member. Everything else stays in `details`.
 */
export const detailLine = (details: Details): string =>
  [
    ...Object.entries(details)
      .filter(([, value]) => isPlain(value) || isList(value))
      .map(([key, value]) => `${key}=${shown(value)}`),
    ...(isObject(details.before) && isObject(details.after) ? differences(details.before, details.after) : []),
  ].join(' ');

const differences = (before: Details, after: Details, path = ''): string[] =>
  [...new Set([...Object.keys(after), ...Object.keys(before)])]
    .filter((key) => key !== 'updated_at' && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .flatMap((key) => {
      const [old, now] = [before[key], after[key]];
      if (isObject(old) && isObject(now)) return differences(old, now, `${path}${key}.`);
      return [`${path}${key}=${shown(old)}->${shown(now)}`];
    });

const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);
const isList = (value: unknown): value is unknown[] => Array.isArray(value) && value.every(isPlain);
const isObject = (value: unknown): value is Details =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const shown = (value: unknown): string => {
  if (isList(value)) return `[${value.map((item) => quote(String(item), /^[^\s"=,[\]]+$/)).join(',')}]`;
  return quote(isPlain(value) ? String(value) : JSON.stringify(value ?? null), /^[^\s"=]+$/);
};

/** A value that could be read as several is put in quotes. */
const quote = (value: string, clear: RegExp): string => (clear.test(value) ? value : JSON.stringify(value));
